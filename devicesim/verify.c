/* The whole record fits into memory, and each table is read once, with COPY: a query for each
 * reading would take longer than sending it did. This is the one place in the project that may
 * wait for libpq; there is no loop and nothing else to do. */
#include "devicesim/verify.h"

#include "devicesim/gz_lines.h"
#include "devicesim/ledger.h"
#include "shared/buffer.h"
#include "shared/log.h"
#include "shared/pg_rights.h"
#include "shared/pg_session.h"
#include "shared/pg_url.h"
#include "shared/timestamp.h"

#include <libpq-fe.h>

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { EXAMPLES_MAX = 10, LOOK_AGAIN_MS = 200, FIELDS_MAX = FEATURES_MAX + 8 };

/* What is asked for of a reading, and of a rejected message. */
enum { DEVICE, RECORDED_AT, STATUS, RECEIVED_AT, FIRST_VALUE };
enum { TOPIC, LENGTH, HEAD, REJECTED_AT };

struct tally {
    uint64_t sent;
    uint64_t acked;
    uint64_t unheard;
    uint64_t found;
    uint64_t lost;
    uint64_t doubled;
    uint64_t unexpected;
    uint64_t others; /* of the same devices, but not of this run */
};

struct verify {
    struct verify_config config;
    PGconn *conn;
    struct ledger ledger;
    struct features stored; /* what the store keeps */
    struct tally readings;
    struct tally rejections;
    unsigned examples_told; /* of the kind being counted */
    bool tells_examples;
};

/* ---- the database --------------------------------------------------------------------------- */

static bool fail(struct verify *verify, const char *what)
{
    char text[512];

    snprintf(text, sizeof(text), "%s", PQerrorMessage(verify->conn));
    pg_url_scrub(verify->conn, text);
    log_error("verify: %s: %.*s", what, (int)strcspn(text, "\n"), text);
    return false;
}

/* Which features the view has: its numbers with a fraction. */
static bool read_columns(struct verify *verify)
{
    static const char sql[] =
        "SELECT attname FROM pg_attribute WHERE attrelid = 'device_readings'::regclass"
        " AND atttypid = 'double precision'::regtype AND NOT attisdropped ORDER BY attnum";
    PGresult *result = PQexec(verify->conn, sql);
    bool done = PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) <= FEATURES_MAX;

    for (int i = 0; done && i < PQntuples(result); i++)
        snprintf(verify->stored.names[verify->stored.count++], FEATURE_NAME_MAX + 1, "%s",
                 PQgetvalue(result, i, 0));
    PQclear(result);
    return done || fail(verify, "the view device_readings");
}

/* Undoes the escapes of COPY's text format in place, and splits at the tabs; \N becomes NULL. */
static size_t split_copied(char *line, char **fields)
{
    char *to = line;
    size_t count = 0;

    fields[count++] = to;
    for (char *from = line; *from && *from != '\n'; from++) {
        if (*from == '\t') {
            *to++ = '\0';
            if (count < FIELDS_MAX)
                fields[count++] = to;
        } else if (*from == '\\' && from[1] == 'N') {
            fields[count - 1] = NULL;
            from++;
        } else if (*from == '\\' && from[1]) {
            *to++ = *++from; /* only the backslash itself occurs: ids have no control characters */
        } else {
            *to++ = *from;
        }
    }
    *to = '\0';
    return count;
}

/* Gives each row that the query finds to `on_row`. */
static bool copy_out(struct verify *verify, const char *sql,
                     void (*on_row)(struct verify *verify, char **fields, size_t count))
{
    PGresult *result = PQexec(verify->conn, sql);
    bool done = PQresultStatus(result) == PGRES_COPY_OUT;
    char *fields[FIELDS_MAX];
    char *line;

    PQclear(result);
    if (!done)
        return fail(verify, "reading what is stored");
    while (PQgetCopyData(verify->conn, &line, 0) > 0) {
        size_t count = split_copied(line, fields);

        on_row(verify, fields, count);
        PQfreemem(line);
    }
    while ((result = PQgetResult(verify->conn))) {
        done = done && PQresultStatus(result) == PGRES_COMMAND_OK;
        PQclear(result);
    }
    return done || fail(verify, "reading what is stored");
}

/* Appends an array of texts: each device with something before and behind it. */
static bool put_array(struct verify *verify, struct buffer *sql, const char *before, size_t bytes,
                      const char *behind)
{
    const struct string_table *devices = &verify->ledger.devices;
    struct buffer text = {0};
    bool done = true;

    buffer_put_text(sql, "ARRAY[");
    for (uint32_t i = 0; i < devices->count && done; i++) {
        char *literal;

        buffer_clear(&text);
        buffer_put(&text, before, bytes);
        buffer_put_text(&text, devices->texts[i]);
        buffer_put_text(&text, behind);
        literal = PQescapeLiteral(verify->conn, buffer_text(&text), text.bytes);
        if (literal)
            buffer_printf(sql, "%s%s", i ? "," : "", literal);
        else
            done = fail(verify, "a device id that the database cannot take");
        PQfreemem(literal);
    }
    buffer_put_text(sql, "]::text[]");
    buffer_release(&text);
    return done;
}

/* ---- telling -------------------------------------------------------------------------------- */

/* An example of what went wrong; only the first few of each kind. */
static void tell_reading(struct verify *verify, const char *what, const char *device,
                         int64_t recorded_at_us, const char *more)
{
    char when[TIMESTAMP_TEXT_SIZE];
    char id[128];

    if (!verify->tells_examples || ++verify->examples_told > EXAMPLES_MAX)
        return;
    timestamp_format(when, recorded_at_us);
    fprintf(stderr, "%s: %s at %s%s\n", what, log_escaped(id, sizeof(id), device, strlen(device)),
            when, more);
}

static void tell_rejection(struct verify *verify, const char *what, const char *device,
                           uint64_t bytes, const char *head)
{
    char id[128];

    if (!verify->tells_examples || ++verify->examples_told > EXAMPLES_MAX)
        return;
    fprintf(stderr,
            "%s among the rejected messages: of %s, %" PRIu64 " bytes, in hexadecimal %.60s\n",
            what, log_escaped(id, sizeof(id), device, strlen(device)), bytes, head);
}

/* ---- comparing ------------------------------------------------------------------------------ */

static int64_t integer_of(const char *field)
{
    return field ? strtoll(field, NULL, 10) : 0;
}

static void on_reading(struct verify *verify, char **fields, size_t count)
{
    double values[FEATURES_MAX];
    const char *id = fields[DEVICE] ? fields[DEVICE] : "nobody";
    uint32_t device = string_table_find(&verify->ledger.devices, id);
    int64_t recorded_at_us = integer_of(fields[RECORDED_AT]);
    uint8_t status =
        (uint8_t)(fields[STATUS] ? reading_status_parse(fields[STATUS]) : STATUS_ABSENT);
    uint32_t found = LEDGER_NONE;

    (void)count; /* the query names as many columns as there are features, and four */
    for (size_t i = 0; i < verify->stored.count; i++) {
        const char *text = fields[FIRST_VALUE + i];

        values[i] = text ? strtod(text, NULL) : (double)NAN;
    }
    if (device != STRING_TABLE_NONE)
        found = ledger_find_reading(&verify->ledger, device, recorded_at_us, status, values);
    if (found != LEDGER_NONE) {
        verify->readings.found++;
        verify->ledger.readings[found].counts.found++;
    } else if (ledger_claims_reading(&verify->ledger, recorded_at_us,
                                     integer_of(fields[RECEIVED_AT]))) {
        verify->readings.found++;
        verify->readings.unexpected++;
        tell_reading(verify, "unexpected", id, recorded_at_us, ": a row that was not sent");
    } else {
        verify->readings.others++;
    }
}

static void on_rejection(struct verify *verify, char **fields, size_t count)
{
    const struct topic_filter *topic = verify->config.topic;
    size_t suffix = strlen(topic->suffix);
    size_t bytes = strlen(fields[TOPIC]);
    const char *device = fields[TOPIC] + topic->prefix_bytes;
    uint64_t length = strtoull(fields[LENGTH], NULL, 10);
    uint32_t number;
    uint32_t found;

    (void)count;
    if (!ledger_claims_rejection(&verify->ledger, integer_of(fields[REJECTED_AT]))) {
        verify->rejections.others++;
        return;
    }
    fields[TOPIC][bytes - suffix] = '\0'; /* it matched the topic */
    number = string_table_find(&verify->ledger.devices, device);
    found = ledger_find_rejection(&verify->ledger, number, (uint32_t)length, fields[HEAD]);
    verify->rejections.found++;
    if (found == LEDGER_NONE) {
        verify->rejections.unexpected++;
        tell_rejection(verify, "unexpected", device, length, fields[HEAD]);
    } else {
        verify->ledger.rejections[found].counts.found++;
    }
}

static bool look_at_readings(struct verify *verify)
{
    struct buffer sql = {0};
    bool done;

    buffer_put_text(&sql, "COPY (SELECT device_id, (extract(epoch FROM recorded_at) * 1000000)"
                          "::bigint, status, (extract(epoch FROM received_at) * 1000000)::bigint");
    for (size_t i = 0; i < verify->stored.count; i++)
        buffer_printf(&sql, ", \"%s\"", verify->stored.names[i]);
    buffer_put_text(&sql, " FROM device_readings WHERE device_id = ANY(");
    done = put_array(verify, &sql, "", 0, "");
    buffer_put_text(&sql, ")) TO STDOUT");
    done = done && copy_out(verify, buffer_text(&sql), on_reading);
    buffer_release(&sql);
    return done;
}

static bool look_at_rejections(struct verify *verify)
{
    const struct topic_filter *topic = verify->config.topic;
    struct buffer sql = {0};
    bool done;

    buffer_printf(&sql,
                  "COPY (SELECT topic, octet_length(payload),"
                  " encode(substring(payload FOR %d), 'hex'),"
                  " (extract(epoch FROM received_at) * 1000000)::bigint FROM rejected_messages"
                  " WHERE topic = ANY(",
                  TRUTH_HEAD_BYTES);
    done = put_array(verify, &sql, topic->prefix, topic->prefix_bytes, topic->suffix);
    buffer_put_text(&sql, ")) TO STDOUT");
    done = done && copy_out(verify, buffer_text(&sql), on_rejection);
    buffer_release(&sql);
    return done;
}

static void add_counts(struct tally *tally, const struct ledger_counts *counts)
{
    tally->sent += counts->sent;
    tally->acked += counts->acked;
    tally->unheard += counts->unheard;
}

static void count_up(struct verify *verify)
{
    const struct ledger *ledger = &verify->ledger;

    verify->examples_told = 0;
    for (uint32_t i = 0; i < ledger->reading_count; i++) {
        const struct ledger_reading *reading = &ledger->readings[i];

        add_counts(&verify->readings, &reading->counts);
        if (ledger_reading_is_lost(ledger, i)) {
            verify->readings.lost++;
            tell_reading(verify, "lost", ledger->devices.texts[reading->device],
                         reading->recorded_at_us, ": acknowledged and not stored");
        }
    }
    verify->examples_told = 0;
    for (uint32_t i = 0; i < ledger->reading_count; i++) {
        const struct ledger_reading *reading = &ledger->readings[i];

        if (reading->counts.found > 1) {
            verify->readings.doubled += reading->counts.found - 1;
            tell_reading(verify, "doubled", ledger->devices.texts[reading->device],
                         reading->recorded_at_us, ": more than one row");
        }
    }
    verify->examples_told = 0;
    for (uint32_t i = 0; i < ledger->rejection_count; i++) {
        const struct ledger_rejection *rejection = &ledger->rejections[i];

        if (rejection->is_either)
            continue; /* its messages count as readings */
        add_counts(&verify->rejections, &rejection->counts);
        if (ledger_rejection_is_lost(ledger, i)) {
            verify->rejections.lost += rejection->counts.acked - rejection->counts.found;
            tell_rejection(verify, "lost", ledger->devices.texts[rejection->device],
                           rejection->bytes, (const char *)ledger->heads.data + rejection->head);
        }
    }
}

/* One look at the whole store. */
static bool look(struct verify *verify)
{
    ledger_clear_found(&verify->ledger);
    verify->readings = (struct tally){0};
    verify->rejections = (struct tally){0};
    verify->examples_told = 0;
    if (!look_at_readings(verify) || !look_at_rejections(verify))
        return false;
    count_up(verify);
    return true;
}

/* ---- the whole of it ------------------------------------------------------------------------ */

/* A line that is none is forgiven where a kill could have cut it off: at the end of a run, which is
 * the end of the file or the header of the next run. What it was about had not been published. */
static bool read_lines(struct verify *verify, struct gz_lines *lines)
{
    char error[LEDGER_ERROR_SIZE] = "";
    uint64_t torn_line = 0;
    char *line;

    while ((line = gz_lines_next(lines))) {
        if (torn_line > 0 && strncmp(line, "event,", 6) != 0) {
            log_error("verify: %s, line %" PRIu64 ": %s", verify->config.truth_path, torn_line,
                      error);
            return false;
        }
        torn_line = ledger_apply(&verify->ledger, line, error) ? 0 : lines->line;
    }
    return true;
}

static bool read_truth(struct verify *verify)
{
    const char *path = verify->config.truth_path;
    struct gz_lines lines = {0};
    bool good;

    if (!gz_lines_open(&lines, path)) {
        log_error("verify: %s cannot be read: %s", path, gz_lines_failure(&lines));
        return false;
    }
    good = read_lines(verify, &lines);
    if (good && gz_lines_failure(&lines)) {
        log_error("verify: %s, after line %" PRIu64 ": %s", path, lines.line,
                  gz_lines_failure(&lines));
        good = false;
    } else if (good && verify->ledger.column_count == 0) {
        log_error("verify: %s is not a file of truth", path);
        good = false;
    }
    gz_lines_close(&lines);
    return good;
}

static uint64_t mismatches(const struct verify *verify)
{
    return verify->readings.lost + verify->readings.doubled + verify->readings.unexpected +
           verify->rejections.lost + verify->rejections.unexpected;
}

static void print_tally(const char *name, const struct tally *tally, const char *found)
{
    printf("%-10s %" PRIu64 " sent, %" PRIu64 " acknowledged, %" PRIu64 " %s\n", name, tally->sent,
           tally->acked, tally->found, found);
}

static void print_result(const struct verify *verify)
{
    const struct tally *readings = &verify->readings;
    const struct tally *rejections = &verify->rejections;

    if (verify->config.as_json) {
        printf(
            "{\"lost\":%" PRIu64 ",\"doubled\":%" PRIu64 ",\"unexpected\":%" PRIu64
            ",\"others\":%" PRIu64 ",\"readings\":{\"sent\":%" PRIu64 ",\"acked\":%" PRIu64
            ",\"unheard\":%" PRIu64 ",\"rows\":%" PRIu64 ",\"distinct\":%" PRIu32
            "},\"rejected\":{\"sent\":%" PRIu64 ",\"acked\":%" PRIu64 ",\"rows\":%" PRIu64 "}}\n",
            readings->lost + rejections->lost, readings->doubled,
            readings->unexpected + rejections->unexpected, readings->others + rejections->others,
            readings->sent, readings->acked, readings->unheard, readings->found,
            verify->ledger.reading_count, rejections->sent, rejections->acked, rejections->found);
        return;
    }
    print_tally("readings", readings, "rows");
    if (rejections->sent || rejections->found)
        print_tally("malformed", rejections, "rejected messages");
    if (readings->unheard)
        printf("unheard    %" PRIu64 " (the broker said that nobody subscribed to them)\n",
               readings->unheard);
    if (readings->others + rejections->others)
        printf("others     %" PRIu64 " (of the same devices, and not of the time of this record)\n",
               readings->others + rejections->others);
    printf("lost       %" PRIu64 "\ndoubled    %" PRIu64 "\nunexpected %" PRIu64 "\n",
           readings->lost + rejections->lost, readings->doubled,
           readings->unexpected + rejections->unexpected);
}

static int64_t monotonic_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static bool compare(struct verify *verify)
{
    const struct timespec pause = {.tv_nsec = LOOK_AGAIN_MS * 1000000L};
    int64_t end_us = monotonic_us() + verify->config.wait_us;

    if (!read_columns(verify))
        return false;
    ledger_init(&verify->ledger, &verify->stored);
    if (!read_truth(verify))
        return false;
    if (verify->ledger.ignored[0])
        log_warning("verify: %s is not compared: the store does not keep it",
                    verify->ledger.ignored);
    for (;;) {
        if (!look(verify))
            return false;
        if (mismatches(verify) == 0 || monotonic_us() >= end_us)
            break;
        nanosleep(&pause, NULL);
    }
    if (mismatches(verify) == 0)
        return true;
    verify->tells_examples = true;
    return look(verify);
}

/* Whether we may read the tables and know them; says why not. */
static bool is_readable(struct verify *verify)
{
    bool is_good = PQsendQuery(verify->conn, pg_rights_to_read_sql);
    PGresult *result;

    while ((result = PQgetResult(verify->conn)) != NULL) {
        bool has_reason = PQntuples(result) == 1 && !PQgetisnull(result, 0, 0);

        if (has_reason && is_good)
            log_error("verify: %s", PQgetvalue(result, 0, 0));
        is_good = is_good && !has_reason;
        PQclear(result);
    }
    return is_good;
}

int verify_run(const struct verify_config *config)
{
    const struct pg_session session = {.reads_only = true};
    struct verify verify = {.config = *config};
    char reason[320];
    int status = 2;

    verify.conn = pg_session_open(config->database_url, "highwater verify", &session,
                                  config->give_up_after_ms, reason, sizeof(reason));
    if (!verify.conn) {
        log_error("verify: %s", reason);
    } else if (is_readable(&verify) && compare(&verify)) {
        print_result(&verify);
        status = mismatches(&verify) == 0 ? 0 : 1;
    }
    ledger_release(&verify.ledger);
    PQfinish(verify.conn);
    return status;
}
