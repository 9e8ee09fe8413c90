-- 029_runs: readings in columns, for exports.
--
-- A *run* is some readings of a device, one after the other, in columns: a chunk as it is stored (023_packed), if nothing else lies
-- between its readings, or rows that are put together. So of a packed day no row is made by the database and none by the client: a
-- reading costs a twentieth of what a row does. What runs say of readings is told by httpapi/run.c.
-- Rejected: columns unpacked by SQL, which costs as much as all else; a cursor held open, which is a connection for each reader, however slow.

-- Readings are told in the order that was asked for where moments are, and in the order of time where recorded_at is, which is what a chunk has.
CREATE TYPE reading_run AS (
    device      integer,
    readings    integer,
    first_at    timestamptz,
    next_at     timestamptz,
    next_hash   bigint,
    moments     timestamptz[],
    recorded_at packed_numbers,
    status      packed_numbers,
    features    packed_numbers[]
);
COMMENT ON TYPE reading_run IS 'Some readings of a device in columns: when each was recorded is in moments, or, as a chunk has it, in recorded_at. To go on behind it name next_at and next_hash.';

-- The readings of a device that are still kept, in order of time and content_hash, after the one named last, if any: runs until there are `most`
-- readings in them. A chunk is told as a whole, whatever part of it lies from `starts` until before `ends`. wanted: features, in that order.
CREATE FUNCTION device_runs(of_device integer, starts timestamptz, ends timestamptz, newest_first boolean, most bigint,
                            after_at timestamptz DEFAULT NULL, after_hash bigint DEFAULT NULL, wanted text[] DEFAULT '{}')
RETURNS SETOF reading_run LANGUAGE plpgsql STABLE SET max_parallel_workers_per_gather = 0 SET jit = off SET datestyle = 'ISO' SET search_path FROM CURRENT AS $$
#variable_conflict use_variable
DECLARE
    tick  CONSTANT interval := interval '1 microsecond';
    -- a hash that no other comes after
    last_hash CONSTANT bigint := CASE WHEN newest_first THEN -9223372036854775808 ELSE 9223372036854775807 END;
    way   CONSTANT text := CASE WHEN newest_first THEN 'DESC' ELSE 'ASC' END;
    span  record;
    chunk record;
    step  interval := interval '24 hours';
    low   timestamptz;
    high  timestamptz;
    found integer;     -- chunks
    here  bigint;      -- readings of them
    counts integer[];
    firsts timestamptz[];
    lasts  timestamptz[];
    row_at timestamptz; -- of the first reading that is in none
    run    reading_run;
    has_chunks boolean;
BEGIN
    SELECT * INTO span FROM device_spans(ARRAY[of_device]);
    IF span.first_at IS NULL THEN
        RETURN;
    END IF;
    IF after_hash = last_hash THEN
        starts := CASE WHEN newest_first THEN starts ELSE greatest(starts, after_at + tick) END;
        ends := CASE WHEN newest_first THEN least(ends, after_at) ELSE ends END;
        after_at := NULL;
        after_hash := NULL;
    END IF;
    starts := greatest(starts, span.first_at, CASE WHEN NOT newest_first THEN after_at END);
    ends := least(ends, span.last_at + tick, CASE WHEN newest_first THEN after_at + tick END);
    -- to a snapshot that is older than a turn chunks are not what they are now
    has_chunks := EXISTS (SELECT FROM packed_days d WHERE d.is_packed AND d.starts_at < ends AND d.ends_at > starts)
                  AND to_regclass('readings_moves_' || (SELECT s.moves FROM storage_state s)) IS NOT NULL;
    WHILE starts < ends AND most > 0 LOOP
        low := CASE WHEN newest_first AND has_chunks THEN greatest(starts, ends - step) ELSE starts END;
        high := CASE WHEN NOT newest_first AND has_chunks THEN least(ends, starts + step) ELSE ends END;
        step := step * 2;
        here := 0;
        counts := '{}';
        firsts := '{}';
        lasts := '{}';
        IF has_chunks THEN
            FOR chunk IN EXECUTE format(
                'SELECT c.first_at, c.last_at, c.readings FROM reading_chunks c WHERE c.device = %s AND c.first_at >= %L AND c.first_at < %L AND c.last_at >= %L ORDER BY c.first_at %s',
                of_device, coalesce((SELECT d.starts_at FROM packed_days d WHERE d.is_packed AND d.starts_at <= low AND d.ends_at > low), low), high, low, way) LOOP
                counts := counts || chunk.readings;
                firsts := firsts || chunk.first_at;
                lasts := lasts || chunk.last_at;
                here := here + chunk.readings;
                EXIT WHEN here >= most;
            END LOOP;
        END IF;
        found := cardinality(counts);
        IF found > 0 THEN
            low := CASE WHEN newest_first THEN firsts[found] ELSE low END;
            high := CASE WHEN newest_first THEN high ELSE lasts[found] + tick END;
            EXECUTE format('SELECT r.recorded_at FROM readings r WHERE r.device = %s AND r.recorded_at >= %L AND r.recorded_at < %L ORDER BY r.recorded_at %s LIMIT 1',
                           of_device, low, least(high, ends), way) INTO row_at;
            row_at := CASE WHEN newest_first THEN greatest(row_at, after_at) ELSE least(row_at, after_at) END;
            WHILE found > 0 AND CASE WHEN newest_first THEN firsts[found] <= row_at ELSE lasts[found] >= row_at END LOOP
                found := found - 1;
            END LOOP;
            IF found = 0 THEN -- rows up to that chunk, or those of it among them
                low := CASE WHEN NOT newest_first THEN starts WHEN row_at > lasts[1] THEN lasts[1] + tick ELSE greatest(firsts[1], starts) END;
                high := CASE WHEN newest_first THEN ends WHEN row_at < firsts[1] THEN firsts[1] ELSE least(lasts[1] + tick, ends) END;
            END IF;
        END IF;
        IF found > 0 THEN
            RETURN QUERY EXECUTE format(
                'SELECT c.device, c.readings, c.first_at, %s, $1, NULL::timestamptz[], c.recorded_at, c.status, ARRAY[%s]::packed_numbers[] FROM reading_chunks c'
                ' WHERE c.device = %s AND c.first_at >= %L AND c.first_at <= %L ORDER BY c.first_at %s',
                CASE WHEN newest_first THEN 'c.first_at' ELSE 'c.last_at' END,
                (SELECT string_agg(format('c.%I', w || '_packed'), ', ' ORDER BY n) FROM unnest(wanted) WITH ORDINALITY AS u (w, n)),
                of_device, least(firsts[1], firsts[found]), greatest(firsts[1], firsts[found]), way) USING last_hash;
            most := most - (SELECT sum(c) FROM unnest(counts[:found]) c);
            low := firsts[found];
            high := lasts[found] + tick;
        ELSE
            EXECUTE format(
                'SELECT %s, count(*), min(r.recorded_at), (array_agg(r.recorded_at))[count(*)], (array_agg(r.content_hash))[count(*)], array_agg(r.recorded_at), NULL::packed_numbers,'
                ' ROW(NULL, 0, 0, array_agg(r.status), NULL, NULL, NULL)::packed_numbers, ARRAY[%s]::packed_numbers[] FROM device_page(%1$s, $1, $2, $3, $4, $5, $6, $7) r',
                of_device, (SELECT string_agg(format('ROW(NULL, NULL, NULL, NULL, NULL, NULL, array_agg(r.%I))::packed_numbers', w), ', ' ORDER BY n)
                            FROM unnest(wanted) WITH ORDINALITY AS u (w, n)))
            INTO run USING low, high, newest_first, most, after_at, after_hash, ARRAY['status'] || wanted;
            IF run.readings > 0 THEN
                RETURN NEXT run;
            END IF;
            most := most - run.readings;
            after_at := NULL;
            after_hash := NULL;
        END IF;
        starts := CASE WHEN newest_first THEN starts ELSE high END;
        ends := CASE WHEN newest_first THEN low ELSE ends END;
    END LOOP;
END $$;
COMMENT ON FUNCTION device_runs(integer, timestamptz, timestamptz, boolean, bigint, timestamptz, bigint, text[]) IS 'As device_page(), in columns: chunks as they are, and rows put together. For exports of httpapi.';

-- A page of all readings, device by device in the order of their ids (by bytes), each as device_runs() has it: so any page
-- is found by the keys of readings and chunks, whatever came before it. NULL instead of ids: of all devices. However few readings there are in the
-- span, a page looks at so many devices only: then its last row is the device it got to, with nothing but that.
-- Rejected: the order of time. No index has it, and those that it could be read from (the block ranges of
-- recorded_at) are no help where devices send late.
CREATE FUNCTION fleet_runs(of_devices text[], starts timestamptz, ends timestamptz, most bigint, most_devices integer,
                           after_device text DEFAULT '', after_at timestamptz DEFAULT NULL, after_hash bigint DEFAULT NULL,
                           wanted text[] DEFAULT '{}')
RETURNS SETOF reading_run LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
#variable_conflict use_variable
DECLARE
    one  record;
    run  reading_run;
    seen integer := 0;
BEGIN
    FOR one IN EXECUTE 'SELECT d.id, d.device_id FROM devices d WHERE d.device_id >= $1'
                       || CASE WHEN of_devices IS NULL THEN '' ELSE ' AND d.device_id = ANY ($2)' END
                       || ' ORDER BY d.device_id LIMIT ' || most_devices + 1 USING after_device, of_devices LOOP
        IF seen = most_devices THEN
            run := NULL;
            run.device := one.id;
            RETURN NEXT run;
            RETURN;
        END IF;
        FOR run IN SELECT * FROM device_runs(one.id, starts, ends, false, most, CASE WHEN one.device_id = after_device THEN after_at END,
                                             CASE WHEN one.device_id = after_device THEN after_hash END, wanted) LOOP
            RETURN NEXT run;
            most := most - run.readings;
        END LOOP;
        IF most <= 0 THEN
            RETURN;
        END IF;
        seen := seen + 1;
    END LOOP;
END $$;
COMMENT ON FUNCTION fleet_runs(text[], timestamptz, timestamptz, bigint, integer, text, timestamptz, bigint, text[]) IS 'The readings of some devices (NULL: of all) that are still kept, in the order of device id, time and content_hash, after those named last, in runs as device_runs() has them. A row without readings: no more until this device.';
