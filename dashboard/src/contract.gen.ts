/* Made of httpapi/openapi.json by `make contract`: change that, not this. */

export interface paths {
    "/": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The page
         * @description What is to be seen, in a browser.
         */
        get: operations["page"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/dashboard": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Which devices have the highest values
         * @description For each feature the top devices, each once, with the whole of its best reading: of an interval that reaches back from now, or, with from or to, of any span of time, which the database answers.
         */
        get: operations["dashboard"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/boards/history": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The past hour of every device that is on a board
         * @description What the lines beside the rows of boards are drawn from: of each device that is on one of them the lowest and the highest value of that feature in equal steps of the past hour, or, with from and to, of that span. Takes what /dashboard takes. The features together get 1,200 rows at most, the first of each board. A device without a value in that time has no series.
         */
        get: operations["board_history"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Boards as they change
         * @description Server-sent events: `board` with a whole board, first all that were asked for, then each that changes; with `changes=true` also `change`, what changed of one; `status` every second. A client that reconnects with Last-Event-ID gets what changed since.
         */
        get: operations["events"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/thresholds": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Which devices are beyond a threshold
         * @description Of THRESHOLDS of the collectors that are live, as these say: one for each device and threshold, the one that crossed last first. Pages by cursor: pass "next" as `after`, with the same filters and in the same order, until it is null. 503 while no collector is live: then nobody can say it; with `group` or `q` also while the database does not answer.
         */
        get: operations["thresholds"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/groups": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The groups that devices say they are of
         * @description Of more than 1000 the first, and how many there are in all.
         */
        get: operations["groups"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/devices": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * All devices, and how each is
         * @description Also those all of whose messages were rejected. Pages by cursor: pass "next" as `after`, in the same order and with the same filters, until it is null. What is ordered and filtered by is as of the last half minute (of 100,000 busy devices: of the last minute).
         */
        get: operations["devices"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/devices/{deviceId}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * One device
         * @description Its latest reading, its all-time peaks, its readings by status.
         */
        get: operations["device"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/devices/{deviceId}/histogram": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * How often a device had each status
         * @description Counts of statuses. With `feature`, which is deprecated, those of its values, as /devices/{deviceId}/distribution has them: `feature` alone decides which of both.
         */
        get: operations["device_histogram"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/devices/{deviceId}/distribution": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * How often a device had each value
         * @description Counts of a feature's values in bins of equal width, each count exact, and quantiles.
         */
        get: operations["device_distribution"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/devices/{deviceId}/points": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * A device's history in steps
         * @description For a plot: steps, each with the count of readings and minimum, maximum and mean of every feature, so that no peak is lost.
         */
        get: operations["device_points"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/devices/{deviceId}/readings": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * What a device sent
         * @description Its readings, page by page in JSON or all of them as CSV.
         */
        get: operations["device_readings"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/readings": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * What several devices sent, or all of them
         * @description For a plot: steps, the same of each device. As CSV or JSON lines without `points`: every reading that was stored when the answer began, once, device by device in the order of their ids (by bytes), of each the earliest first; one that is stored meanwhile may be in it. 404 if none of the devices that are named is known.
         */
        get: operations["readings"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/histogram": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * How often the fleet had each status
         * @description Counts of statuses, of all devices together.
         */
        get: operations["histogram"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/distribution": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * How often the fleet had each value
         * @description Counts of a feature's values, of all devices together, in bins of equal width.
         */
        get: operations["distribution"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/rejected": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Messages that were rejected, as they came
         * @description The newest first. Pages by cursor: pass "next" as `after`, with the same filters, until it is null. In JSON what cannot be seen in topics, details and payloads is told, as \u{202e}; as JSON lines everything is as it came, whole, an object with the same members in each line.
         */
        get: operations["rejected"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/rejected/counts": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * How many messages were rejected in each hour, and why
         * @description Of those that are kept; hours in which there is none are left out. `from` and `to` are taken to whole hours (UTC), outwards. Of more than 10,000 pairs of an hour and a reason the newest are answered, and `from` says from when on.
         */
        get: operations["rejected_counts"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/heatmap": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The fleet at a glance: time by value
         * @description How many devices had their highest value of each step of time in each of some rows of equal height. A device that sent the feature in a step counts once in its column. Steps are as short as columns, and a bounded cost, allow: below an hour they are made of readings, else of the sums of hours or days.
         */
        get: operations["heatmap"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/collectors": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The collectors and what they last said of themselves
         * @description Their counters are in their own metrics.
         */
        get: operations["collectors"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/metrics": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Metrics of this program, for Prometheus
         * @description Text format 0.0.4.
         */
        get: operations["metrics"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/health": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * What is wrong, since when, and what to do
         * @description One verdict of broker, database and collectors, the worst first; the same is in each `status` event. Always 200: what decides by a status asks /readyz. Needs no token; where there are some, who has none learns the level alone.
         */
        get: operations["health"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/healthz": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Is the program alive?
         * @description 200 as long as it answers at all. Needs no token; who has one learns the version.
         */
        get: operations["healthz"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/readyz": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Can it answer everything?
         * @description 200 with a database and current boards, else 503 with the reasons. Needs no token; where there are some, the reasons are told to who has one.
         */
        get: operations["readyz"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/openapi.json": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * This contract
         * @description OpenAPI 3.1, made from the table that routes requests.
         */
        get: operations["openapi"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /**
         * Format: date-time
         * @description null where it is not known, or there is none
         */
        TimestampOrNone: string | null;
        /**
         * @description RFC 3339; a day, 2026-11-26, which is its midnight in UTC; seconds since 1970, of 9 to 11 digits or 0, with six decimals at most; now, or so much before the request, now-90m
         * @example 2026-11-23T12:00:00Z
         * @example 2026-11-26
         * @example 1795737600
         * @example now-90m
         */
        Moment: string;
        /** Format: date-time */
        Timestamp: string;
        DeviceIdAsked: string;
        BoardHistory: {
            asOf: components["schemas"]["Timestamp"];
            from: components["schemas"]["Timestamp"];
            to: components["schemas"]["Timestamp"];
            stepMs: number;
            /** @description what devices on these boards say they are called, by their ids; of the others nothing */
            labels: {
                [key: string]: string;
            };
            series: components["schemas"]["BoardSeries"][];
        };
        /** @description A value per step, null where the device sent none */
        BoardSeries: {
            deviceId: string;
            feature: string;
            min: (number | null)[];
            max: (number | null)[];
        };
        Problem: {
            type: string;
            title: string;
            status: number;
            detail: string;
            parameter?: string;
            value?: string;
            legal?: string;
        };
        Health: {
            /** @enum {unknown} */
            status: "ok" | "ready";
            version?: string;
        };
        Verdict: {
            /** @enum {unknown} */
            level: "ok" | "warning" | "broken";
            worst?: null | components["schemas"]["Trouble"];
            others?: components["schemas"]["Trouble"][];
        };
        Trouble: {
            code: string;
            /** @enum {unknown} */
            level: "warning" | "broken";
            since: components["schemas"]["TimestampOrNone"];
            title: string;
            meaning: string;
            action: string;
        };
        Statuses: {
            ON: number;
            OFF: number;
            ACTIVE: number;
            INACTIVE: number;
            none?: number;
        };
        Histogram: components["schemas"]["Statuses"] | components["schemas"]["ValueHistogram"];
        /** @description its one member is named as the device: with the parameter `feature` a ValueHistogram, without it Statuses */
        DeviceHistogram: {
            [key: string]: components["schemas"]["Histogram"];
        };
        Devices: {
            devices: components["schemas"]["DeviceEntry"][];
            /** @description how many devices fit the filters */
            total: number;
            next: string | null;
        };
        /** @description what the device says of itself */
        About: {
            label: string | null;
            group: string | null;
            location: string | {
                latitude: number;
                longitude: number;
            } | null;
        };
        Groups: {
            groups: {
                group: string;
                devices: number;
            }[];
            total: number;
        };
        Thresholds: {
            /** @description those that devices are beyond */
            thresholds: {
                feature: string;
                above?: number;
                below?: number;
                devices: number;
            }[];
            /** @description on all pages, of those that are asked for */
            total: number;
            /** @description false where a collector that the database knows is not live, and while one counts more or fewer than have come, which after each crossing is so for up to a second */
            isComplete: boolean;
            /** @description collectors that the database knows and that are not live: theirs are left out */
            notHeard: string[];
            /** @description cursor of the next page */
            next: string | null;
            devices: {
                deviceId: components["schemas"]["DeviceId"];
                feature: string;
                above?: number;
                below?: number;
                /** @description of the reading that crossed at `since` */
                value: number;
                since: components["schemas"]["Timestamp"];
                /** @description who says so: the collector that heard the device last */
                collectorId: string;
                about: components["schemas"]["About"] | null;
            }[];
        };
        DeviceEntry: {
            deviceId: components["schemas"]["DeviceId"];
            about: components["schemas"]["About"] | null;
            firstSeenAt: components["schemas"]["Timestamp"] | null;
            firstReadingAt: components["schemas"]["Timestamp"] | null;
            lastReadingAt: components["schemas"]["Timestamp"] | null;
            lastHeardAt: components["schemas"]["Timestamp"];
            /** @description the timestamp of its last reading less when that came: below 0 its clock is behind, or it sends late */
            clockOffsetMs: number | null;
            readingsPastHour: number;
            rejectedPastHour: number;
            latest: components["schemas"]["Reading"] | null;
            sequence: components["schemas"]["Sequence"] | null;
        };
        Sequence: {
            highest: number;
            missing: number;
            repeats: number;
            restarts: number;
        };
        DeviceId: string;
        ReadingPage: {
            deviceId: components["schemas"]["DeviceId"];
            readings: components["schemas"]["Reading"][];
            next: string | null;
        };
        ReadingPoints: {
            deviceId: components["schemas"]["DeviceId"];
            from: components["schemas"]["Timestamp"] | null;
            to: components["schemas"]["Timestamp"] | null;
            stepMs: number | null;
            points: components["schemas"]["Point"][];
        };
        ComparedPoints: {
            from: components["schemas"]["Timestamp"] | null;
            to: components["schemas"]["Timestamp"] | null;
            stepMs: number | null;
            /** @description how many devices are meant; more than eight are not in the answer */
            total: number;
            devices: components["schemas"]["ComparedDevice"][];
        };
        ComparedDevice: {
            deviceId: components["schemas"]["DeviceId"];
            /** @description false: it never sent a reading */
            isKnown: boolean;
            /** @description what it says it is called */
            label: string | null;
            points: components["schemas"]["ComparedPoint"][];
        };
        ComparedPoint: {
            timestamp: components["schemas"]["Timestamp"];
            count: number;
        } & {
            [key: string]: components["schemas"]["Timestamp"] | number | (components["schemas"]["Span"] | null);
        };
        Span: {
            min: number;
            max: number;
            mean: number;
        };
        RejectedPage: {
            since: components["schemas"]["TimestampOrNone"];
            messages: components["schemas"]["RejectedMessage"][];
            next: string | null;
        };
        /** @description Either payload or payloadBase64 is null. */
        RejectedMessage: {
            id: number;
            receivedAt: components["schemas"]["Timestamp"];
            topic: string;
            reason: string;
            detail: string;
            /** @description null: it could not be told */
            deviceId: string | null;
            /** @description of all of it */
            payloadBytes: number;
            /** @description where it is UTF-8 */
            payload: string | null;
            /** @description where it is not */
            payloadBase64: string | null;
        };
        RejectedCounts: {
            since: components["schemas"]["TimestampOrNone"];
            from: components["schemas"]["TimestampOrNone"];
            to: components["schemas"]["TimestampOrNone"];
            /** @description the newest first */
            hours: {
                hour: components["schemas"]["Timestamp"];
                reasons: {
                    [key: string]: number;
                };
            }[];
            total: number;
        };
        Collectors: {
            collectors: components["schemas"]["Collector"][];
        };
        Collector: {
            collectorId: string;
            isLive: boolean;
            /** @enum {unknown} */
            state: "unknown" | "warming" | "live" | "degraded" | "stopped" | "lost";
            asOf?: components["schemas"]["Timestamp"];
            turn?: number;
            installation?: string;
            startedAt?: components["schemas"]["Timestamp"];
            version?: string;
            features?: string[];
            /** @description of features: what their numbers are in, as FEATURES or MAPPINGS of this collector say */
            units?: {
                [key: string]: string;
            };
            /** @description of features: what people call them */
            labels?: {
                [key: string]: string;
            };
            /** @description THRESHOLDS of this collector, and how many devices are beyond each by what they sent last */
            thresholds?: {
                feature: string;
                /** @description entered above this; or */
                above?: number;
                /** @description entered below this */
                below?: number;
                /** @description left here or further back */
                back: number;
                /** @description left out until it is known */
                devices?: number;
            }[];
            intervals?: {
                name: string;
                lengthMs: number | null;
            }[];
            limit?: number;
            lowest?: boolean;
            subscribe?: string;
            devices?: number;
            messages?: number;
            received?: number;
            stored?: number;
            duplicates?: number;
            rejected?: number;
            inFlight?: number;
            ratePerSecond?: number;
            lagMs?: number;
            rejectedByReason?: {
                [key: string]: number;
            };
            brokerDropped?: number;
            /** @description what keeps it from storing: store or source */
            lacks?: string;
            oldestUncommittedMs?: number;
        };
        ChangeEvent: {
            feature: string;
            interval: string;
            /** @enum {unknown} */
            order: "desc" | "asc";
            asOf: components["schemas"]["Timestamp"];
            /** @enum {unknown} */
            source: "boards" | "database";
            /** @description the id of the event that it goes upon: the last one of this board */
            upon: string;
            /** @description places in that board, from 0, whose readings go, first of all */
            removed: number[];
            /** @description then these are put in, one after the other, each at its place */
            added: {
                place: number;
                reading: components["schemas"]["Reading"];
            }[];
        };
        BoardEvent: {
            feature: string;
            interval: string;
            /** @enum {unknown} */
            order: "desc" | "asc";
            asOf: components["schemas"]["Timestamp"];
            /** @enum {unknown} */
            source: "boards" | "database";
            readings: components["schemas"]["Reading"][];
        };
        /** @description httpapi itself: databaseFailed and requests count from startedAt on, the others are of now */
        Front: {
            startedAt: components["schemas"]["Timestamp"];
            isBrokerUp: boolean;
            databaseConnections: number;
            databaseBusy: number;
            databaseWaiting: number;
            /** @description queries that failed, or were turned away */
            databaseFailed: number;
            connections: number;
            streams: number;
            requests: number;
            memoryBytes: number;
        };
        StatusEvent: {
            front: components["schemas"]["Front"];
            /** @enum {unknown} */
            source: "boards" | "database" | "none";
            at: components["schemas"]["Timestamp"];
            asOf: components["schemas"]["TimestampOrNone"];
            health: components["schemas"]["Verdict"];
            reason: string;
            collectors: components["schemas"]["Collector"][];
        };
        Reading: {
            deviceId: components["schemas"]["DeviceId"];
            timestamp: components["schemas"]["Timestamp"];
            /** @enum {unknown} */
            status: "ON" | "OFF" | "ACTIVE" | "INACTIVE" | null;
        } & {
            [key: string]: components["schemas"]["DeviceId"] | components["schemas"]["Timestamp"] | ("ON" | "OFF" | "ACTIVE" | "INACTIVE" | null) | (number | null);
        };
        Dashboard: {
            [key: string]: components["schemas"]["RankedReading"][];
        };
        /** @description A reading; with by=deviation and by=rise also how it was ranked. */
        RankedReading: {
            deviceId: components["schemas"]["DeviceId"];
            timestamp: components["schemas"]["Timestamp"];
            /** @enum {unknown} */
            status: "ON" | "OFF" | "ACTIVE" | "INACTIVE" | null;
            value?: components["schemas"]["Change"];
        } & {
            [key: string]: components["schemas"]["DeviceId"] | components["schemas"]["Timestamp"] | ("ON" | "OFF" | "ACTIVE" | "INACTIVE" | null) | components["schemas"]["Change"] | (number | null);
        };
        /** @description change = the reading's value less `against`, which is the mean of the device's values in the span, or the lowest (asc: highest) of them recorded before, at againstAt. No feature is called value. */
        Change: {
            change: number;
            against: number;
            againstAt: components["schemas"]["TimestampOrNone"];
        };
        Point: {
            timestamp: components["schemas"]["Timestamp"];
            count: number;
        } & {
            [key: string]: components["schemas"]["Timestamp"] | number | (components["schemas"]["Span"] | null);
        };
        Heatmap: {
            feature: string;
            from: components["schemas"]["Timestamp"];
            to: components["schemas"]["Timestamp"];
            /** @description the width of a column */
            stepMs: number;
            /**
             * @description what it is made of
             * @enum {unknown}
             */
            source: "readings" | "hours" | "days";
            /** @description where the first row begins, or the lowest value, if that is below the low asked for; null without any values */
            low: number | null;
            /** @description where the last row ends, or the highest value, if that is above the high asked for */
            high: number | null;
            /** @description counts of devices: of each column those of its rows, the lowest first */
            columns: number[][];
            top: components["schemas"]["HeatmapLine"] | null;
        };
        /** @description The device with the highest value of the span, or the one that was asked for. */
        HeatmapLine: {
            deviceId: components["schemas"]["DeviceId"];
            /** @description its highest value in each column, null where it sent none */
            highest: (number | null)[];
        };
        ValueHistogram: {
            feature: string;
            count: number;
            edges: number[];
            counts: number[];
            /** @description those asked for, rising */
            quantiles: components["schemas"]["Quantile"][];
        };
        Quantile: {
            quantile: number;
            value: number;
            /** @description how far the value may be off; 0 where values repeat */
            error: number;
        };
        Device: {
            deviceId: components["schemas"]["DeviceId"];
            about: components["schemas"]["About"] | null;
            firstSeenAt: components["schemas"]["Timestamp"] | null;
            lastHeardAt: components["schemas"]["Timestamp"];
            clockOffsetMs: number | null;
            rejectedPastHour: number;
            latest: components["schemas"]["Reading"] | null;
            sequence: components["schemas"]["Sequence"] | null;
            storage: components["schemas"]["Storage"] | null;
            statuses: components["schemas"]["Statuses"];
            peaks: {
                [key: string]: components["schemas"]["Peaks"];
            };
        };
        /** @description What of a device is still stored */
        Storage: {
            /** @description the time of its oldest reading that is still stored; null: none is */
            since: components["schemas"]["Timestamp"] | null;
            /** @description for how long readings are kept, by whole partitions (RETENTION); 0: for ever; null: no collector has said */
            retentionMs: number | null;
            /** @description what its readings and their keys take on the database's disk, were each as large as any other; renewed each minute */
            estimatedBytes: number | null;
        };
        Peaks: {
            highest: components["schemas"]["Reading"] | null;
            lowest: components["schemas"]["Reading"] | null;
        };
    };
    responses: {
        /** @description Bad Request: a parameter, the target or the head of the request is not legal (RFC 9457) */
        Problem400: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description Unauthorized: there is a TOKEN_FILE, and no token came, or none of it (RFC 9457) */
        Problem401: {
            headers: {
                "WWW-Authenticate"?: string;
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description Forbidden: the token opens other groups of routes (RFC 9457) */
        Problem403: {
            headers: {
                "WWW-Authenticate"?: string;
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description Not Found: there is no such device (RFC 9457) */
        Problem404: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description Method Not Allowed: it is only read, with GET or HEAD (RFC 9457) */
        Problem405: {
            headers: {
                Allow?: string;
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description Not Acceptable: Accept wants nothing that there is (RFC 9457) */
        Problem406: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description Gone: readings of the span were dropped (RETENTION), and one of them may belong on the board (RFC 9457) */
        Problem410: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description URI Too Long: the target is too long (RFC 9457) */
        Problem414: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description Misdirected Request: the host in Host is none that this server answers to (RFC 9457) */
        Problem421: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description Request Header Fields Too Large: the head of the request is too large (RFC 9457) */
        Problem431: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description Internal Server Error: the database refused a question (RFC 9457) */
        Problem500: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description Service Unavailable: the database cannot answer now, or too many ask (RFC 9457) */
        Problem503: {
            headers: {
                "Retry-After"?: string;
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description HTTP Version Not Supported: it is neither HTTP/1.1 nor HTTP/1.0 (RFC 9457) */
        Problem505: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
    };
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type TimestampOrNone = components['schemas']['TimestampOrNone'];
export type Moment = components['schemas']['Moment'];
export type Timestamp = components['schemas']['Timestamp'];
export type DeviceIdAsked = components['schemas']['DeviceIdAsked'];
export type BoardHistory = components['schemas']['BoardHistory'];
export type BoardSeries = components['schemas']['BoardSeries'];
export type Problem = components['schemas']['Problem'];
export type Health = components['schemas']['Health'];
export type Verdict = components['schemas']['Verdict'];
export type Trouble = components['schemas']['Trouble'];
export type Statuses = components['schemas']['Statuses'];
export type Histogram = components['schemas']['Histogram'];
export type DeviceHistogram = components['schemas']['DeviceHistogram'];
export type Devices = components['schemas']['Devices'];
export type About = components['schemas']['About'];
export type Groups = components['schemas']['Groups'];
export type Thresholds = components['schemas']['Thresholds'];
export type DeviceEntry = components['schemas']['DeviceEntry'];
export type Sequence = components['schemas']['Sequence'];
export type DeviceId = components['schemas']['DeviceId'];
export type ReadingPage = components['schemas']['ReadingPage'];
export type ReadingPoints = components['schemas']['ReadingPoints'];
export type ComparedPoints = components['schemas']['ComparedPoints'];
export type ComparedDevice = components['schemas']['ComparedDevice'];
export type ComparedPoint = components['schemas']['ComparedPoint'];
export type Span = components['schemas']['Span'];
export type RejectedPage = components['schemas']['RejectedPage'];
export type RejectedMessage = components['schemas']['RejectedMessage'];
export type RejectedCounts = components['schemas']['RejectedCounts'];
export type Collectors = components['schemas']['Collectors'];
export type Collector = components['schemas']['Collector'];
export type ChangeEvent = components['schemas']['ChangeEvent'];
export type BoardEvent = components['schemas']['BoardEvent'];
export type Front = components['schemas']['Front'];
export type StatusEvent = components['schemas']['StatusEvent'];
export type Reading = components['schemas']['Reading'];
export type Dashboard = components['schemas']['Dashboard'];
export type RankedReading = components['schemas']['RankedReading'];
export type Change = components['schemas']['Change'];
export type Point = components['schemas']['Point'];
export type Heatmap = components['schemas']['Heatmap'];
export type HeatmapLine = components['schemas']['HeatmapLine'];
export type ValueHistogram = components['schemas']['ValueHistogram'];
export type Quantile = components['schemas']['Quantile'];
export type Device = components['schemas']['Device'];
export type Storage = components['schemas']['Storage'];
export type Peaks = components['schemas']['Peaks'];
export type ResponseProblem400 = components['responses']['Problem400'];
export type ResponseProblem401 = components['responses']['Problem401'];
export type ResponseProblem403 = components['responses']['Problem403'];
export type ResponseProblem404 = components['responses']['Problem404'];
export type ResponseProblem405 = components['responses']['Problem405'];
export type ResponseProblem406 = components['responses']['Problem406'];
export type ResponseProblem410 = components['responses']['Problem410'];
export type ResponseProblem414 = components['responses']['Problem414'];
export type ResponseProblem421 = components['responses']['Problem421'];
export type ResponseProblem431 = components['responses']['Problem431'];
export type ResponseProblem500 = components['responses']['Problem500'];
export type ResponseProblem503 = components['responses']['Problem503'];
export type ResponseProblem505 = components['responses']['Problem505'];
export type $defs = Record<string, never>;
export interface operations {
    page: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description the answer */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/html": string;
                };
            };
            /** @description If-None-Match names what there is */
            304: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            405: components["responses"]["Problem405"];
            406: components["responses"]["Problem406"];
            414: components["responses"]["Problem414"];
            421: components["responses"]["Problem421"];
            431: components["responses"]["Problem431"];
            505: components["responses"]["Problem505"];
        };
    };
    dashboard: {
        parameters: {
            query?: {
                /** @description what devices are ranked by: maximum, their highest value; deviation, their highest value less the mean of all of theirs; rise, the most by which a value is above the lowest one recorded before it; all of the span or interval. With asc the lowest value, the lowest less the mean, and the largest fall. The database answers deviation and rise */
                by?: "maximum" | "deviation" | "rise";
                /** @description which features; all when not given */
                features?: string[];
                /** @description how far back from now; past_minute when not given; not looked at with from or to. Configured intervals are kept in memory, others are computed by the database */
                interval?: string;
                /** @description readings of this timestamp and later; from the first one when only to is given */
                from?: components["schemas"]["Moment"];
                /** @description readings before this timestamp, which is not included; to the last one when only from is given. An answer about what was over a minute ago may be kept for a minute */
                to?: components["schemas"]["Moment"];
                /** @description only devices that say they are of this group, a board of nobody if there is none. The database answers */
                group?: string;
                /** @description devices per feature */
                limit?: number;
                /** @description desc: the highest values, asc: the lowest */
                order?: "desc" | "asc";
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description the answer */
            200: {
                headers: {
                    /** @description when the answer was true */
                    "X-Data-As-Of"?: components["schemas"]["Timestamp"];
                    "X-Data-Source"?: "boards" | "database";
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Dashboard"];
                };
            };
            /** @description If-None-Match names what there is */
            304: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            405: components["responses"]["Problem405"];
            406: components["responses"]["Problem406"];
            410: components["responses"]["Problem410"];
            414: components["responses"]["Problem414"];
            421: components["responses"]["Problem421"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            503: components["responses"]["Problem503"];
            505: components["responses"]["Problem505"];
        };
    };
    board_history: {
        parameters: {
            query?: {
                /** @description what devices are ranked by: maximum, their highest value; deviation, their highest value less the mean of all of theirs; rise, the most by which a value is above the lowest one recorded before it; all of the span or interval. With asc the lowest value, the lowest less the mean, and the largest fall. The database answers deviation and rise */
                by?: "maximum" | "deviation" | "rise";
                /** @description which features; all when not given */
                features?: string[];
                /** @description how far back from now; past_minute when not given; not looked at with from or to. Configured intervals are kept in memory, others are computed by the database */
                interval?: string;
                /** @description readings of this timestamp and later; with to alone an hour before it */
                from?: components["schemas"]["Moment"];
                /** @description readings before this timestamp, which is not included; now with from alone */
                to?: components["schemas"]["Moment"];
                /** @description only devices that say they are of this group */
                group?: string;
                /** @description devices per feature, fewer where there are many features */
                limit?: number;
                /** @description desc: the highest values, asc: the lowest */
                order?: "desc" | "asc";
                /** @description how many steps, at most */
                points?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description the answer */
            200: {
                headers: {
                    /** @description when the answer was true */
                    "X-Data-As-Of"?: components["schemas"]["Timestamp"];
                    "X-Data-Source"?: "database";
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BoardHistory"];
                };
            };
            /** @description If-None-Match names what there is */
            304: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            405: components["responses"]["Problem405"];
            406: components["responses"]["Problem406"];
            410: components["responses"]["Problem410"];
            414: components["responses"]["Problem414"];
            421: components["responses"]["Problem421"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            503: components["responses"]["Problem503"];
            505: components["responses"]["Problem505"];
        };
    };
    events: {
        parameters: {
            query?: {
                /** @description true: where it is shorter, `change` events say what changed of a board, instead of all of it */
                changes?: "false" | "true";
                /** @description which features; all when not given */
                features?: string[];
                /** @description which intervals; all when not given */
                interval?: string[];
                /** @description desc: the highest values, asc: the lowest */
                order?: "desc" | "asc";
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description the answer */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/event-stream": string;
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            405: components["responses"]["Problem405"];
            406: components["responses"]["Problem406"];
            414: components["responses"]["Problem414"];
            421: components["responses"]["Problem421"];
            431: components["responses"]["Problem431"];
            503: components["responses"]["Problem503"];
            505: components["responses"]["Problem505"];
        };
    };
    thresholds: {
        parameters: {
            query?: {
                /** @description only thresholds of this feature */
                feature?: string;
                /** @description only devices that say they are of this group */
                group?: string;
                /** @description only devices whose id or label has this in it, whatever the case */
                q?: string;
                /** @description only what is above or below one */
                side?: "above" | "below";
                /** @description devices per page */
                limit?: number;
                /** @description desc: who crossed last comes first */
                order?: "desc" | "asc";
                /** @description where the page begins: "next" of the page before */
                after?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description the answer */
            200: {
                headers: {
                    /** @description when the answer was true */
                    "X-Data-As-Of"?: components["schemas"]["Timestamp"];
                    "X-Data-Source"?: "boards" | "database";
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Thresholds"];
                };
            };
            /** @description If-None-Match names what there is */
            304: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            405: components["responses"]["Problem405"];
            406: components["responses"]["Problem406"];
            414: components["responses"]["Problem414"];
            421: components["responses"]["Problem421"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            503: components["responses"]["Problem503"];
            505: components["responses"]["Problem505"];
        };
    };
    groups: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description the answer */
            200: {
                headers: {
                    /** @description when the answer was true */
                    "X-Data-As-Of"?: components["schemas"]["Timestamp"];
                    "X-Data-Source"?: "boards" | "database";
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Groups"];
                };
            };
            /** @description If-None-Match names what there is */
            304: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            405: components["responses"]["Problem405"];
            406: components["responses"]["Problem406"];
            414: components["responses"]["Problem414"];
            421: components["responses"]["Problem421"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            503: components["responses"]["Problem503"];
            505: components["responses"]["Problem505"];
        };
    };
    devices: {
        parameters: {
            query?: {
                /** @description where the page begins: "next" of the page before: the number that it is ordered by, 0 in the order of ids, then _ and an id */
                after?: string;
                /** @description only devices that say they are of this group */
                group?: string;
                /** @description devices per page */
                limit?: number;
                /** @description asc: the lowest, the longest silent or the first id first */
                order?: "desc" | "asc";
                /** @description only devices whose id or label has this in it, whatever the case */
                q?: string;
                /** @description only devices of which nothing has arrived for so long, whatever their clocks say */
                silentFor?: string;
                /** @description by which of their members devices are ordered; ids as people count, device_2 before device_10 */
                sort?: "deviceId" | "lastHeardAt" | "clockOffsetMs" | "missing" | "rejectedPastHour";
                /** @description silent: nothing has arrived for silentFor, or 5 minutes; losing: numbers are missing; refused: messages were rejected in the past hour, or all that there ever were */
                status?: "silent" | "losing" | "refused";
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description the answer */
            200: {
                headers: {
                    /** @description when the answer was true */
                    "X-Data-As-Of"?: components["schemas"]["Timestamp"];
                    "X-Data-Source"?: "boards" | "database";
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Devices"];
                };
            };
            /** @description If-None-Match names what there is */
            304: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            405: components["responses"]["Problem405"];
            406: components["responses"]["Problem406"];
            414: components["responses"]["Problem414"];
            421: components["responses"]["Problem421"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            503: components["responses"]["Problem503"];
            505: components["responses"]["Problem505"];
        };
    };
    device: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description the device, percent-encoded */
                deviceId: components["schemas"]["DeviceIdAsked"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description the answer */
            200: {
                headers: {
                    /** @description when the answer was true */
                    "X-Data-As-Of"?: components["schemas"]["Timestamp"];
                    "X-Data-Source"?: "boards" | "database";
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Device"];
                };
            };
            /** @description If-None-Match names what there is */
            304: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            405: components["responses"]["Problem405"];
            406: components["responses"]["Problem406"];
            414: components["responses"]["Problem414"];
            421: components["responses"]["Problem421"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            503: components["responses"]["Problem503"];
            505: components["responses"]["Problem505"];
        };
    };
    device_histogram: {
        parameters: {
            query?: {
                /**
                 * @deprecated
                 * @description count values of this feature in bins of equal width, rather than statuses
                 */
                feature?: string;
                /**
                 * @deprecated
                 * @description how many bins, with feature; fewer where there are not so many different numbers
                 */
                bins?: number;
                /** @description how far back from now; all time when not given */
                interval?: string;
                /** @description readings of this timestamp and later; from the first one when not given */
                from?: components["schemas"]["Moment"];
                /** @description readings before this timestamp, which is not included; to the last one when not given */
                to?: components["schemas"]["Moment"];
            };
            header?: never;
            path: {
                /** @description the device, percent-encoded */
                deviceId: components["schemas"]["DeviceIdAsked"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description the answer */
            200: {
                headers: {
                    /** @description when the answer was true */
                    "X-Data-As-Of"?: components["schemas"]["Timestamp"];
                    "X-Data-Source"?: "boards" | "database";
                    ETag?: string;
                    /** @description with `feature`: since when (RFC 9745) */
                    Deprecation?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DeviceHistogram"];
                };
            };
            /** @description If-None-Match names what there is */
            304: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            405: components["responses"]["Problem405"];
            406: components["responses"]["Problem406"];
            414: components["responses"]["Problem414"];
            421: components["responses"]["Problem421"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            503: components["responses"]["Problem503"];
            505: components["responses"]["Problem505"];
        };
    };
    device_distribution: {
        parameters: {
            query: {
                /** @description whose values are counted */
                feature: string;
                /** @description how many bins; fewer where there are not so many different numbers */
                bins?: number;
                /** @description up to 16 numbers from 0 to 1, with commas: for each, the smallest value that so much of all values does not exceed */
                quantiles?: string;
                /** @description how far back from now; all time when not given */
                interval?: string;
                /** @description readings of this timestamp and later; from the first one when not given */
                from?: components["schemas"]["Moment"];
                /** @description readings before this timestamp, which is not included; to the last one when not given */
                to?: components["schemas"]["Moment"];
            };
            header?: never;
            path: {
                /** @description the device, percent-encoded */
                deviceId: components["schemas"]["DeviceIdAsked"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description the answer */
            200: {
                headers: {
                    /** @description when the answer was true */
                    "X-Data-As-Of"?: components["schemas"]["Timestamp"];
                    "X-Data-Source"?: "boards" | "database";
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ValueHistogram"];
                };
            };
            /** @description If-None-Match names what there is */
            304: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            405: components["responses"]["Problem405"];
            406: components["responses"]["Problem406"];
            414: components["responses"]["Problem414"];
            421: components["responses"]["Problem421"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            503: components["responses"]["Problem503"];
            505: components["responses"]["Problem505"];
        };
    };
    device_points: {
        parameters: {
            query?: {
                /** @description readings of this timestamp and later; from the first one when not given */
                from?: components["schemas"]["Moment"];
                /** @description readings before this timestamp, which is not included; to the last one when not given */
                to?: components["schemas"]["Moment"];
                /** @description this many steps at most. A step includes its start and not its end */
                points?: number;
                /** @description json or csv; wins over Accept */
                format?: "json" | "csv";
            };
            header?: never;
            path: {
                /** @description the device, percent-encoded */
                deviceId: components["schemas"]["DeviceIdAsked"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description the answer */
            200: {
                headers: {
                    /** @description when the answer was true */
                    "X-Data-As-Of"?: components["schemas"]["Timestamp"];
                    "X-Data-Source"?: "boards" | "database";
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ReadingPoints"];
                    "text/csv": string;
                };
            };
            /** @description If-None-Match names what there is */
            304: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            405: components["responses"]["Problem405"];
            406: components["responses"]["Problem406"];
            414: components["responses"]["Problem414"];
            421: components["responses"]["Problem421"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            503: components["responses"]["Problem503"];
            505: components["responses"]["Problem505"];
        };
    };
    device_readings: {
        parameters: {
            query?: {
                /** @description readings of this timestamp and later; from the first one when not given */
                from?: components["schemas"]["Moment"];
                /** @description readings before this timestamp, which is not included; to the last one when not given */
                to?: components["schemas"]["Moment"];
                /** @description readings at most: in JSON 1000 when not given and 10000 however many are asked for; in CSV all, or this many */
                limit?: number;
                /** @description desc: the latest first, asc: the earliest first */
                order?: "desc" | "asc";
                /** @description where the page begins: "next" of the page before */
                after?: string;
                /** @description json or csv; wins over Accept */
                format?: "json" | "csv";
            };
            header?: never;
            path: {
                /** @description the device, percent-encoded */
                deviceId: components["schemas"]["DeviceIdAsked"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description the answer */
            200: {
                headers: {
                    /** @description when the answer was true */
                    "X-Data-As-Of"?: components["schemas"]["Timestamp"];
                    "X-Data-Source"?: "boards" | "database";
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ReadingPage"];
                    "text/csv": string;
                };
            };
            /** @description If-None-Match names what there is */
            304: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            405: components["responses"]["Problem405"];
            406: components["responses"]["Problem406"];
            414: components["responses"]["Problem414"];
            421: components["responses"]["Problem421"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            503: components["responses"]["Problem503"];
            505: components["responses"]["Problem505"];
        };
    };
    readings: {
        parameters: {
            query?: {
                /** @description a device, up to eight of them: deviceId=a&deviceId=b. All devices when not given; of a plot the first eight by their ids */
                deviceId?: components["schemas"]["DeviceIdAsked"][];
                /** @description which features, with commas; all when not given */
                features?: string[];
                /** @description readings of this timestamp and later; from the first one when not given */
                from?: components["schemas"]["Moment"];
                /** @description readings before this timestamp, which is not included; to the last one when not given */
                to?: components["schemas"]["Moment"];
                /** @description the devices that say they are of this group, instead of deviceId; of a plot the first eight by their ids, and how many there are in all */
                group?: string;
                /** @description this many steps at most, each with minimum, maximum and mean of each feature, so that no peak is lost; 500 when not given, in JSON. A step includes its start and not its end */
                points?: number;
                /** @description json, csv or jsonl (JSON lines); wins over Accept */
                format?: "json" | "csv" | "jsonl";
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description the answer */
            200: {
                headers: {
                    /** @description when the answer was true, or began */
                    "X-Data-As-Of"?: components["schemas"]["Timestamp"];
                    "X-Data-Source"?: "boards" | "database";
                    /** @description of what is no JSON: a name for the file */
                    "Content-Disposition"?: string;
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ComparedPoints"];
                    "text/csv": string;
                    "application/x-ndjson": string;
                };
            };
            /** @description If-None-Match names what there is */
            304: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            405: components["responses"]["Problem405"];
            406: components["responses"]["Problem406"];
            414: components["responses"]["Problem414"];
            421: components["responses"]["Problem421"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            503: components["responses"]["Problem503"];
            505: components["responses"]["Problem505"];
        };
    };
    histogram: {
        parameters: {
            query?: {
                /** @description how far back from now; all time when not given */
                interval?: string;
                /** @description readings of this timestamp and later; from the first one when not given */
                from?: components["schemas"]["Moment"];
                /** @description readings before this timestamp, which is not included; to the last one when not given */
                to?: components["schemas"]["Moment"];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description the answer */
            200: {
                headers: {
                    /** @description when the answer was true */
                    "X-Data-As-Of"?: components["schemas"]["Timestamp"];
                    "X-Data-Source"?: "boards" | "database";
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Statuses"];
                };
            };
            /** @description If-None-Match names what there is */
            304: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            405: components["responses"]["Problem405"];
            406: components["responses"]["Problem406"];
            414: components["responses"]["Problem414"];
            421: components["responses"]["Problem421"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            503: components["responses"]["Problem503"];
            505: components["responses"]["Problem505"];
        };
    };
    distribution: {
        parameters: {
            query: {
                /** @description whose values are counted */
                feature: string;
                /** @description how many bins; fewer where there are not so many different numbers */
                bins?: number;
                /** @description up to 16 numbers from 0 to 1, with commas: for each, the smallest value that so much of all values does not exceed */
                quantiles?: string;
                /** @description how far back from now; all time when not given */
                interval?: string;
                /** @description readings of this timestamp and later; from the first one when not given */
                from?: components["schemas"]["Moment"];
                /** @description readings before this timestamp, which is not included; to the last one when not given */
                to?: components["schemas"]["Moment"];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description the answer */
            200: {
                headers: {
                    /** @description when the answer was true */
                    "X-Data-As-Of"?: components["schemas"]["Timestamp"];
                    "X-Data-Source"?: "boards" | "database";
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ValueHistogram"];
                };
            };
            /** @description If-None-Match names what there is */
            304: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            405: components["responses"]["Problem405"];
            406: components["responses"]["Problem406"];
            414: components["responses"]["Problem414"];
            421: components["responses"]["Problem421"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            503: components["responses"]["Problem503"];
            505: components["responses"]["Problem505"];
        };
    };
    rejected: {
        parameters: {
            query?: {
                /** @description only those; one that nobody gave has none */
                reason?: string;
                /** @description only of this device, as far as that could be told */
                device?: components["schemas"]["DeviceIdAsked"];
                /** @description what was received at this time and later; from the first one when not given */
                from?: components["schemas"]["Moment"];
                /** @description what was received before this time, which is not included; to the last one when not given */
                to?: components["schemas"]["Moment"];
                /** @description "next" of the page before */
                after?: string;
                /** @description how many; a JSON page has 50 without it and 200 at most, JSON lines have all without it */
                limit?: number;
                /** @description how much of each payload, in JSON */
                bytes?: number;
                /** @description instead of Accept */
                format?: "json" | "jsonl";
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description the answer */
            200: {
                headers: {
                    /** @description when the answer was true */
                    "X-Data-As-Of"?: components["schemas"]["Timestamp"];
                    "X-Data-Source"?: "boards" | "database";
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RejectedPage"];
                    "application/x-ndjson": string;
                };
            };
            /** @description If-None-Match names what there is */
            304: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            405: components["responses"]["Problem405"];
            406: components["responses"]["Problem406"];
            414: components["responses"]["Problem414"];
            421: components["responses"]["Problem421"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            503: components["responses"]["Problem503"];
            505: components["responses"]["Problem505"];
        };
    };
    rejected_counts: {
        parameters: {
            query?: {
                /** @description what was received at this time and later; from the first one when not given */
                from?: components["schemas"]["Moment"];
                /** @description what was received before this time, which is not included; to the last one when not given */
                to?: components["schemas"]["Moment"];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description the answer */
            200: {
                headers: {
                    /** @description when the answer was true */
                    "X-Data-As-Of"?: components["schemas"]["Timestamp"];
                    "X-Data-Source"?: "boards" | "database";
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RejectedCounts"];
                };
            };
            /** @description If-None-Match names what there is */
            304: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            405: components["responses"]["Problem405"];
            406: components["responses"]["Problem406"];
            414: components["responses"]["Problem414"];
            421: components["responses"]["Problem421"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            503: components["responses"]["Problem503"];
            505: components["responses"]["Problem505"];
        };
    };
    heatmap: {
        parameters: {
            query: {
                /** @description whose values are shown */
                feature: string;
                /** @description how many steps of time at most */
                columns?: number;
                /** @description how many rows between the lowest and the highest of the values that are counted */
                rows?: number;
                /** @description where it begins, or a little before, at a whole step; a day before its end when not given */
                from?: components["schemas"]["Moment"];
                /** @description where it ends, or a little after, at a whole step; now when not given */
                to?: components["schemas"]["Moment"];
                /** @description where the last row ends; what is above counts in it. The highest of the values when not given */
                high?: number;
                /** @description the device whose line is wanted; the one that was highest when not given */
                line?: components["schemas"]["DeviceIdAsked"];
                /** @description where the first row begins; what is below counts in it. The lowest of the values when not given. Not below high: there is one row */
                low?: number;
                /** @description only the columns from the one on in which this lies: steps are as long as without it, so that they follow those of an earlier answer */
                since?: components["schemas"]["Moment"];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description the answer */
            200: {
                headers: {
                    /** @description when the answer was true */
                    "X-Data-As-Of"?: components["schemas"]["Timestamp"];
                    "X-Data-Source"?: "boards" | "database";
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Heatmap"];
                };
            };
            /** @description If-None-Match names what there is */
            304: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            405: components["responses"]["Problem405"];
            406: components["responses"]["Problem406"];
            414: components["responses"]["Problem414"];
            421: components["responses"]["Problem421"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            503: components["responses"]["Problem503"];
            505: components["responses"]["Problem505"];
        };
    };
    collectors: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description the answer */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Collectors"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            405: components["responses"]["Problem405"];
            406: components["responses"]["Problem406"];
            414: components["responses"]["Problem414"];
            421: components["responses"]["Problem421"];
            431: components["responses"]["Problem431"];
            505: components["responses"]["Problem505"];
        };
    };
    metrics: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description the answer */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/plain": string;
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            405: components["responses"]["Problem405"];
            406: components["responses"]["Problem406"];
            414: components["responses"]["Problem414"];
            421: components["responses"]["Problem421"];
            431: components["responses"]["Problem431"];
            505: components["responses"]["Problem505"];
        };
    };
    health: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description the answer */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Verdict"];
                };
            };
            400: components["responses"]["Problem400"];
            405: components["responses"]["Problem405"];
            406: components["responses"]["Problem406"];
            414: components["responses"]["Problem414"];
            421: components["responses"]["Problem421"];
            431: components["responses"]["Problem431"];
            505: components["responses"]["Problem505"];
        };
    };
    healthz: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description the answer */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Health"];
                };
            };
            400: components["responses"]["Problem400"];
            405: components["responses"]["Problem405"];
            406: components["responses"]["Problem406"];
            414: components["responses"]["Problem414"];
            421: components["responses"]["Problem421"];
            431: components["responses"]["Problem431"];
            505: components["responses"]["Problem505"];
        };
    };
    readyz: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description the answer */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Health"];
                };
            };
            400: components["responses"]["Problem400"];
            405: components["responses"]["Problem405"];
            406: components["responses"]["Problem406"];
            414: components["responses"]["Problem414"];
            421: components["responses"]["Problem421"];
            431: components["responses"]["Problem431"];
            503: components["responses"]["Problem503"];
            505: components["responses"]["Problem505"];
        };
    };
    openapi: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description the answer */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": Record<string, never>;
                };
            };
            /** @description If-None-Match names what there is */
            304: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            405: components["responses"]["Problem405"];
            406: components["responses"]["Problem406"];
            414: components["responses"]["Problem414"];
            421: components["responses"]["Problem421"];
            431: components["responses"]["Problem431"];
            505: components["responses"]["Problem505"];
        };
    };
}
