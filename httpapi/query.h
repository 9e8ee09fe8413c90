/* query.h: all the SQL of httpapi, and how rows become an answer. Nothing else knows a table of
 * readings; each kind has a file, query_<kind>.c.
 *
 * Shape    a kind of query builds its SQL and parameters out of what was asked, and writes the body
 *          of the answer as its result comes in. One struct query is one question, asked once.
 * Units    timestamps in microseconds since 1970.
 * Errors   is_found = false: there is no such device. All else is the database's error.
 * Owner    query_release() frees what the struct holds; texts of `setup` are constant.
 */
#ifndef HIGHWATER_QUERY_H
#define HIGHWATER_QUERY_H

#include "httpapi/catalog.h"
#include "httpapi/params.h"
#include "shared/base/buffer.h"
#include "shared/model/features.h"
#include "shared/net/pg_link.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { QUERY_PARAMS_MAX = 20 };

struct query;

struct query_kind {
    void (*build)(struct query *query);
    void (*write)(struct query *query, const PGresult *result);
};

struct query {
    const struct query_kind *kind;
    struct params asked; /* as they came */
    struct params params;
    struct catalog *catalog;
    const struct features *features; /* of the catalog */
    int64_t as_of_us;                /* the answer is of this time */

    struct buffer sql;
    int bound_count;
    const char *bound[QUERY_PARAMS_MAX];
    char bound_text[QUERY_PARAMS_MAX][PARAM_TEXT_SIZE];

    struct buffer about; /* rows that the caller knows, as JSON; empty = the tables say which */

    struct buffer body;
    bool is_found;
    bool has_more; /* a page: there is more after `last` */
    uint64_t rows; /* of the page, where it is exported */
    struct params_cursor last;
    char next[PARAM_TEXT_SIZE]; /* cursor of the following page, "" = none */
};

/* Fills in SQL and parameters, which have positions in the catalog. */
void query_init(struct query *query, const struct query_kind *kind, const struct params *params,
                struct catalog *catalog, int64_t as_of_us);
void query_release(struct query *query);

/* The same question about these rows, which are taken over. */
void query_set_about(struct query *query, struct buffer *rows);

/* The same question as of another time; before it is asked. */
void query_set_as_of(struct query *query, int64_t as_of_us);

extern const struct query_kind query_dashboard;
extern const struct query_kind query_board_history;
extern const struct query_kind query_devices;
extern const struct query_kind query_groups;
extern const struct query_kind query_thresholds;       /* about who is beyond */
extern const struct query_kind query_thresholds_found; /* which of those are looked for */
extern const struct query_kind query_device;
extern const struct query_kind query_histogram;       /* of a device, or of all without device_id */
extern const struct query_kind query_distribution;    /* the same of a feature's values */
extern const struct query_kind query_readings;        /* a page, in JSON */
extern const struct query_kind query_points;          /* `points` steps, in JSON or CSV */
extern const struct query_kind query_csv;             /* a page of an export, of a device */
extern const struct query_kind query_rejected;        /* a page, in JSON */
extern const struct query_kind query_rejected_lines;  /* a page of an export */
extern const struct query_kind query_rejected_counts; /* by hour and reason */
extern const struct query_kind query_heatmap;
extern const struct query_kind query_steps;     /* query_points of several devices */
extern const struct query_kind query_fleet_csv; /* a page of several devices, or of all */
extern const struct query_kind query_fleet_lines;

/* Names the columns of exported readings. */
void query_put_csv_head(struct buffer *out, const struct params *params,
                        const struct features *features);

#endif
