#include "devicesim/stored.h"

#include "devicesim/copy_text.h"
#include "shared/base/buffer.h"
#include "shared/base/log.h"
#include "shared/net/pg_rights.h"
#include "shared/net/pg_url.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIELDS_MAX = FEATURES_MAX + 8 };

/* The columns asked for of a reading, and of a rejected message. */
enum { DEVICE, RECORDED_AT, STATUS, RECEIVED_AT, FIRST_VALUE };
enum { TOPIC, LENGTH, HEAD, REJECTED_AT };

/* What on_reading() and on_rejection() need beside the fields. */
struct reader {
    struct verdict *verdict;
    const struct topic_filter *topic;
};

static bool fail(PGconn *conn, const char *what)
{
    char text[512];

    snprintf(text, sizeof(text), "%s", PQerrorMessage(conn));
    pg_url_scrub(conn, text);
    log_error("verify: %s: %.*s", what, (int)strcspn(text, "\n"), text);
    return false;
}

bool stored_is_readable(PGconn *conn)
{
    bool is_good = PQsendQuery(conn, pg_rights_to_read_sql);
    PGresult *result;

    while ((result = PQgetResult(conn)) != NULL) {
        bool has_reason = PQntuples(result) == 1 && !PQgetisnull(result, 0, 0);

        if (has_reason && is_good)
            log_error("verify: %s", PQgetvalue(result, 0, 0));
        is_good = is_good && !has_reason;
        PQclear(result);
    }
    return is_good;
}

bool stored_features(PGconn *conn, struct features *out)
{
    static const char sql[] =
        "SELECT attname FROM pg_attribute WHERE attrelid = 'device_readings'::regclass"
        " AND atttypid = 'double precision'::regtype AND NOT attisdropped ORDER BY attnum";
    PGresult *result = PQexec(conn, sql);
    bool done = PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) <= FEATURES_MAX;

    *out = (struct features){0};
    for (int i = 0; done && i < PQntuples(result); i++)
        snprintf(out->names[out->count++], FEATURE_NAME_MAX + 1, "%s", PQgetvalue(result, i, 0));
    PQclear(result);
    return done || fail(conn, "the view device_readings");
}

/* ---- reading with COPY ---------------------------------------------------------------------- */

/* Gives each row that the query finds to `on_row`. */
static bool copy_out(PGconn *conn, const char *sql, const struct reader *reader,
                     void (*on_row)(const struct reader *reader, char **fields))
{
    PGresult *result = PQexec(conn, sql);
    bool done = PQresultStatus(result) == PGRES_COPY_OUT;
    char *fields[FIELDS_MAX];
    char *line;

    PQclear(result);
    if (!done)
        return fail(conn, "reading what is stored");
    while (PQgetCopyData(conn, &line, 0) > 0) {
        copy_text_split(fields, FIELDS_MAX, line); /* there are as many as the query names */
        on_row(reader, fields);
        PQfreemem(line);
    }
    while ((result = PQgetResult(conn))) {
        done = done && PQresultStatus(result) == PGRES_COMMAND_OK;
        PQclear(result);
    }
    return done || fail(conn, "reading what is stored");
}

/* Appends an array of texts: each device between a prefix and a suffix. */
static bool put_array(PGconn *conn, struct buffer *sql, const struct string_table *devices,
                      const struct topic_filter *around)
{
    struct buffer text = {0};
    bool done = true;

    buffer_put_text(sql, "ARRAY[");
    for (uint32_t i = 0; i < devices->count && done; i++) {
        char *literal;

        buffer_clear(&text);
        if (around)
            buffer_put(&text, around->prefix, around->prefix_bytes);
        buffer_put_text(&text, devices->texts[i]);
        if (around)
            buffer_put_text(&text, around->suffix);
        literal = PQescapeLiteral(conn, buffer_text(&text), text.bytes);
        if (literal)
            buffer_printf(sql, "%s%s", i ? "," : "", literal);
        else
            done = fail(conn, "a device id that the database cannot take");
        PQfreemem(literal);
    }
    buffer_put_text(sql, "]::text[]");
    buffer_release(&text);
    return done;
}

static int64_t integer_of(const char *field)
{
    return field ? strtoll(field, NULL, 10) : 0;
}

/* ---- the two tables ------------------------------------------------------------------------- */

static void on_reading(const struct reader *reader, char **fields)
{
    const struct ledger *ledger = reader->verdict->ledger;
    double values[FEATURES_MAX];
    struct verdict_row row = {.device_id = fields[DEVICE] ? fields[DEVICE] : "nobody",
                              .recorded_at_us = integer_of(fields[RECORDED_AT]),
                              .received_at_us = integer_of(fields[RECEIVED_AT]),
                              .status = STATUS_ABSENT,
                              .values = values};

    if (fields[STATUS])
        row.status = (uint8_t)reading_status_parse(fields[STATUS]);
    for (size_t i = 0; i < ledger->features.count; i++) {
        const char *text = fields[FIRST_VALUE + i];

        values[i] = text ? strtod(text, NULL) : (double)NAN;
    }
    verdict_add_row(reader->verdict, &row);
}

bool stored_readings(PGconn *conn, struct verdict *verdict)
{
    const struct ledger *ledger = verdict->ledger;
    const struct reader reader = {.verdict = verdict};
    struct buffer sql = {0};
    bool done;

    buffer_put_text(&sql, "COPY (SELECT device_id, (extract(epoch FROM recorded_at) * 1000000)"
                          "::bigint, status, (extract(epoch FROM received_at) * 1000000)::bigint");
    for (size_t i = 0; i < ledger->features.count; i++)
        buffer_printf(&sql, ", \"%s\"", ledger->features.names[i]);
    buffer_put_text(&sql, " FROM device_readings WHERE device_id = ANY(");
    done = put_array(conn, &sql, &ledger->devices, NULL);
    buffer_put_text(&sql, ")) TO STDOUT");
    done = done && copy_out(conn, buffer_text(&sql), &reader, on_reading);
    buffer_release(&sql);
    return done;
}

static void on_rejection(const struct reader *reader, char **fields)
{
    const struct topic_filter *topic = reader->topic;
    size_t device_end = strlen(fields[TOPIC]) - strlen(topic->suffix); /* the query matched it */

    fields[TOPIC][device_end] = '\0';
    verdict_add_rejection(reader->verdict, &(struct verdict_rejection){
                                               .device_id = fields[TOPIC] + topic->prefix_bytes,
                                               .received_at_us = integer_of(fields[REJECTED_AT]),
                                               .bytes = (uint32_t)integer_of(fields[LENGTH]),
                                               .head = fields[HEAD]});
}

bool stored_rejections(PGconn *conn, struct verdict *verdict, const struct topic_filter *topic)
{
    const struct reader reader = {.verdict = verdict, .topic = topic};
    struct buffer sql = {0};
    bool done;

    buffer_printf(&sql,
                  "COPY (SELECT topic, octet_length(payload),"
                  " encode(substring(payload FOR %d), 'hex'),"
                  " (extract(epoch FROM received_at) * 1000000)::bigint FROM rejected_messages"
                  " WHERE topic = ANY(",
                  TRUTH_HEAD_BYTES);
    done = put_array(conn, &sql, &verdict->ledger->devices, topic);
    buffer_put_text(&sql, ")) TO STDOUT");
    done = done && copy_out(conn, buffer_text(&sql), &reader, on_rejection);
    buffer_release(&sql);
    return done;
}
