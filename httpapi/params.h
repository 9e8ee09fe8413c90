/* params.h: what a request asks for, out of its target.
 *
 * Shape    a route names its parameters in a table; params_parse() reads a query string against it,
 *          strictly: an unknown, ill-formed or (but for PARAM_DEVICES) repeated parameter is a problem; so is an empty value,
 *          except of a text or a cursor.
 * Units    timestamps in microseconds since 1970, lengths in microseconds.
 * Errors   false, with a struct problem that names the parameter, the value and what is legal.
 * Owner    plain values; the tables are constant.
 * Source   RFC 3986 sections 2.1 and 3.4; `+` is a space, except in timestamps, where it begins the offset.
 */
#ifndef HIGHWATER_PARAMS_H
#define HIGHWATER_PARAMS_H

#include "httpapi/problem.h"
#include "httpapi/quantiles.h"
#include "shared/base/buffer.h"
#include "shared/model/board.h"
#include "shared/model/features.h"
#include "shared/model/topic.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PARAM_PLACE_CHARACTERS = DEVICE_ID_MAX_CHARACTERS + 21, /* a number, _ and an id */
    PARAM_TEXT_SIZE = DEVICE_ID_SIZE + 21,
    PARAM_LIST_SIZE = FEATURES_MAX * (FEATURE_NAME_MAX + 1),
    PARAMS_MAX = 64,      /* in a query; no route has nearly as many */
    PARAM_DEVICES_MAX = 8 /* colours that can be told apart on a plot */
};

enum param_kind {
    PARAM_FEATURES,  /* a list; none given = all */
    PARAM_FEATURE,   /* at most one */
    PARAM_INTERVAL,  /* one: a configured name, or any duration */
    PARAM_INTERVALS, /* a list of configured names; none given = all */
    PARAM_ORDER,
    PARAM_COUNT,     /* uint64_t at `offset`, from `least` to `most` */
    PARAM_TOP,       /* the same, and NUM_TOP_DEVICES when not given */
    PARAM_TIMESTAMP, /* int64_t at `offset`: moment.h */
    PARAM_DURATION,  /* the same: its length */
    PARAM_NUMBER,    /* double at `offset` */
    PARAM_CHOICE,    /* size_t at `offset`: which of `choices`; their count = not given */
    PARAM_TEXT,      /* char[PARAM_TEXT_SIZE] at `offset`, of `most` characters (0: as an id) */
    PARAM_DEVICE,    /* the same, a legal device id */
    PARAM_DEVICES,   /* one of several: may be given up to PARAM_DEVICES_MAX times */
    PARAM_QUANTILES, /* struct quantiles at `offset` */
    PARAM_CURSOR,    /* struct params_cursor at `offset` */
    PARAM_FORMAT     /* one of `choices`, which are of params_formats */
};

/* FORMAT_LINES: a JSON value a line. */
enum params_format { FORMAT_UNSET, FORMAT_JSON, FORMAT_CSV, FORMAT_LINES };

struct param {
    const char *name;
    enum param_kind kind;
    size_t offset;
    uint64_t least;
    uint64_t most;
    const char *fallback;       /* as text; NULL = what params_init() left */
    const char *const *choices; /* ended by NULL */
    bool is_required;
};

/* One interval that was asked for. */
struct interval_choice {
    size_t index; /* among the configured ones; their count = none of them */
    struct interval interval;
};

/* Behind which reading a page begins: as text, microseconds_hash. */
struct params_cursor {
    bool is_given;
    int64_t recorded_at_us;
    int64_t content_hash;
};

struct params {
    size_t feature_count;
    size_t features[FEATURES_MAX]; /* positions in FEATURES, in the order asked for */
    size_t feature;                /* FEATURES_MAX = none */
    size_t interval_count;
    struct interval_choice intervals[INTERVALS_MAX];
    enum sort_order order;
    uint64_t limit;
    uint64_t rows;              /* 0 = not given */
    uint64_t points;            /* steps at most */
    uint64_t bins;              /* also the rows of a heat map */
    uint64_t columns;           /* of a heat map */
    struct quantiles quantiles; /* of values */
    int64_t from_us;            /* inclusive; INT64_MIN = from the first */
    int64_t to_us;              /* exclusive; INT64_MAX = to the last */
    int64_t since_us;           /* of a heat map: its columns from then on; INT64_MIN = all */
    double low;                 /* and between what its rows lie; NAN = not given */
    double high;
    int64_t now_us;   /* when the request came: once for all of it */
    bool is_relative; /* one of the moments reaches back from now */
    enum params_format format;
    struct params_cursor cursor;
    uint64_t pages_taken;  /* of an export, by its client */
    size_t by;             /* of boards: enum board_by */
    size_t sort;           /* of devices: enum devices_sort */
    size_t state;          /* enum devices_state */
    size_t side;           /* of thresholds: enum threshold_side_asked */
    size_t changes;        /* of events: enum events_form */
    int64_t silent_for_us; /* INT64_MIN = not given */
    char after[PARAM_TEXT_SIZE];
    char q[PARAM_TEXT_SIZE];
    char group[PARAM_TEXT_SIZE];
    char reason[PARAM_TEXT_SIZE];
    uint64_t payload_bytes;          /* of each, at most */
    char device_id[PARAM_TEXT_SIZE]; /* out of the path, or `device` */
    size_t device_count;             /* of those named as PARAM_DEVICES; 0 = the fleet */
    char device_ids[PARAM_DEVICES_MAX][DEVICE_ID_SIZE];
};

/* In the order of the contract's words. */
enum board_by { BY_MAXIMUM, BY_DEVIATION, BY_RISE };
enum devices_sort {
    DEVICES_BY_ID,
    DEVICES_BY_HEARD,
    DEVICES_BY_CLOCK,
    DEVICES_BY_MISSING,
    DEVICES_BY_REJECTED
};
enum events_form { EVENTS_WHOLE, EVENTS_CHANGES };
enum threshold_side_asked { SIDE_ABOVE, SIDE_BELOW, SIDE_ANY };
enum devices_state { DEVICES_SILENT, DEVICES_LOSING, DEVICES_REFUSED, DEVICES_ANY };

/* What the settings make legal. */
struct params_rules {
    const struct features *features;
    const struct intervals *intervals;
    uint64_t top_devices;
};

/* Whether `from` or `to` was given: then a board is of that span, and of no interval. */
bool params_have_span(const struct params *params);

/* Decodes percent escapes of [text, text + bytes) into `out` (PARAM_TEXT_SIZE bytes); false when
 * it is too long, an escape is broken, or the outcome is not UTF-8 or has a NUL in it. */
bool params_decode(char *out, const char *text, size_t bytes, bool plus_is_space);

void params_init(struct params *out, const struct params_rules *rules);

/* `params` is ended by {0}; `query` is what follows the `?`, NULL when there is none. */
bool params_parse(struct params *out, const struct param *params, const char *query,
                  const struct params_rules *rules, int64_t now_us, struct problem *problem);

/* The device id of a path segment into out->device_id. */
bool params_parse_device(struct params *out, const char *segment, size_t bytes,
                         struct problem *problem);

/* Appends the parsed values in one fixed form: equal texts for equal questions. */
void params_key(struct buffer *out, const struct params *params, const struct param *table);

/* What a media type stands for, such as "text/csv; charset=utf-8". */
enum params_format params_format_of_type(const char *type);

/* Of a PARAM_TEXT. */
int param_most_characters(const struct param *param);

/* "a parameter of this route: limit, order" */
void params_legal_names(char *out, size_t out_bytes, const struct param *params);

/* "a whole number from 1 to 1000" */
void param_legal(char *out, size_t out_bytes, const struct param *param,
                 const struct params_rules *rules);

#endif
