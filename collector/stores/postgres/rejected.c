#include "collector/stores/postgres/rejected.h"

#include "collector/source.h"
#include "shared/base/base64.h"
#include "shared/base/buffer.h"
#include "shared/base/json_write.h"
#include "shared/base/log.h"
#include "shared/base/mem.h"
#include "shared/base/utf8.h"
#include "shared/model/topic.h"
#include "shared/net/mqtt_terms.h"
#include "shared/net/pg_session.h"
#include "shared/net/pg_url.h"

#include <libpq-fe.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NO_SUBSCRIBERS = 0x10, LOOK_EVERY_MS = 500, LOOKS_MOST = 20 };

/* Rows after $1 and up to $3, of the reason $2 if it is not empty. */
#define PAGE_SQL                                                                                   \
    "SELECT id::text, to_char(received_at AT TIME ZONE 'UTC', "                                    \
    "'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'),"                                                        \
    " topic, reason, detail, payload FROM rejected_messages"                                       \
    " WHERE id > $1::bigint AND id <= $3::bigint AND ($2 = '' OR reason = $2)"                     \
    " ORDER BY rejected_messages.id LIMIT 500" /* not by the text */

/* What there is at the start: how many, the last of them, and when the newest came. */
#define EXTENT_SQL                                                                                 \
    "SELECT count(*), coalesce(max(id), 0), coalesce(max(received_at), '-infinity')"               \
    " FROM rejected_messages WHERE $1 = '' OR reason = $1"

/* A message that is rejected again gets a row after the last ($1), but keeps when it came ($2). */
#define RETURNED_SQL                                                                               \
    "SELECT count(*) FROM rejected_messages WHERE id > $1::bigint AND received_at <= $2"

enum column {
    COLUMN_ID,
    COLUMN_RECEIVED_AT,
    COLUMN_TOPIC,
    COLUMN_REASON,
    COLUMN_DETAIL,
    COLUMN_PAYLOAD
};

struct rejected {
    const struct rejected_config *config;
    PGconn *conn;
    uv_loop_t loop;
    struct mqtt_link link;
    uv_timer_t idle; /* no acknowledgement for long */
    PGresult *page;
    int sent; /* rows of the page */
    int outstanding;
    char read_id[24]; /* up to which the rows have been read */
    char last_id[24]; /* of the rows that are there at the start */
    char newest_at[40];
    int row_by_mid[65536]; /* + 1 */
    uint64_t resubmitted;
    uint64_t unheard; /* nobody subscribes to their topic: kept */
    uint64_t refused; /* by the broker, or by the library: kept */
    int refused_code; /* why, of the first; 0 = by the library */
    char refused_topic[256];
    uint64_t total;
    int status;
};

static int fail(const char *what, const char *text)
{
    log_complaint(what, text);
    return 1;
}

static int fail_database(const struct rejected *r, const char *what)
{
    char text[512];

    snprintf(text, sizeof(text), "%s", PQerrorMessage(r->conn));
    pg_url_scrub(r->conn, text);
    return fail(what, text);
}

static bool find_extent(struct rejected *r)
{
    const char *params[] = {r->config->reason ? r->config->reason : ""};
    PGresult *result = PQexecParams(r->conn, EXTENT_SQL, 1, NULL, params, NULL, NULL, 0);
    bool is_found = PQresultStatus(result) == PGRES_TUPLES_OK;

    if (is_found) {
        r->total = strtoull(PQgetvalue(result, 0, 0), NULL, 10);
        snprintf(r->last_id, sizeof(r->last_id), "%s", PQgetvalue(result, 0, 1));
        snprintf(r->newest_at, sizeof(r->newest_at), "%s", PQgetvalue(result, 0, 2));
    }
    PQclear(result);
    return is_found;
}

static PGresult *fetch_page(struct rejected *r)
{
    const char *params[] = {r->read_id, r->config->reason ? r->config->reason : "", r->last_id};
    PGresult *page = PQexecParams(r->conn, PAGE_SQL, 3, NULL, params, NULL, NULL, 1);

    if (PQresultStatus(page) != PGRES_TUPLES_OK) {
        r->status = fail_database(r, "rejected_messages");
        PQclear(page);
        return NULL;
    }
    if (PQntuples(page) > 0)
        snprintf(r->read_id, sizeof(r->read_id), "%s",
                 PQgetvalue(page, PQntuples(page) - 1, COLUMN_ID));
    return page;
}

/* ---- look ----------------------------------------------------------------------------------- */

static void print_rows(const PGresult *result)
{
    for (int row = 0; row < PQntuples(result); row++) {
        for (int column = 0; column < PQnfields(result); column++)
            printf("%s%s", column > 0 ? "  " : "", PQgetvalue(result, row, column));
        printf("\n");
    }
}

static int list(struct rejected *r)
{
    static const char *const queries[] = {
        "SELECT lpad(count(*)::text, 9), rpad(reason, 20), min(received_at)::timestamptz(0),"
        " max(received_at)::timestamptz(0) FROM rejected_messages WHERE $1 = '' OR reason = $1"
        " GROUP BY reason ORDER BY count(*) DESC, reason",
        "SELECT id, received_at, reason, topic, detail FROM rejected_messages"
        " WHERE $1 = '' OR reason = $1 ORDER BY id DESC LIMIT 20"};
    const char *params[] = {r->config->reason ? r->config->reason : ""};

    for (size_t i = 0; i < 2; i++) {
        PGresult *result = PQexecParams(r->conn, queries[i], 1, NULL, params, NULL, NULL, 0);

        if (PQresultStatus(result) != PGRES_TUPLES_OK) {
            PQclear(result);
            return fail_database(r, "rejected_messages");
        }
        if (i == 0)
            printf(PQntuples(result) > 0 ? "    count  reason                first  last\n"
                                         : "nothing was rejected\n");
        else if (PQntuples(result) > 0)
            printf("\nthe newest:\n");
        print_rows(result);
        PQclear(result);
    }
    return 0;
}

/* ---- take away ------------------------------------------------------------------------------ */

static bool is_text(const unsigned char *data, size_t bytes)
{
    size_t length;

    for (size_t at = 0; at < bytes; at += length) {
        length = utf8_length(data + at, bytes - at);
        if (length == 0 || data[at] == 0)
            return false;
    }
    return true;
}

static void put_line(struct buffer *out, const PGresult *page, int row)
{
    static const char *const names[] = {"id", "receivedAt", "topic", "reason", "detail"};
    const char *payload = PQgetvalue(page, row, COLUMN_PAYLOAD);
    size_t bytes = (size_t)PQgetlength(page, row, COLUMN_PAYLOAD);

    for (int column = COLUMN_ID; column <= COLUMN_DETAIL; column++) {
        buffer_printf(out, "%s\"%s\":", column > 0 ? "," : "{", names[column]);
        if (column == COLUMN_ID)
            buffer_put_text(out, PQgetvalue(page, row, column));
        else
            json_write_string(out, PQgetvalue(page, row, column));
    }
    if (is_text((const unsigned char *)payload, bytes)) {
        buffer_put_text(out, ",\"payload\":");
        json_write_string(out, payload); /* libpq ends every value with NUL */
    } else {
        buffer_put_text(out, ",\"payloadBase64\":\"");
        base64_write(out, payload, bytes);
        buffer_put_text(out, "\"");
    }
    buffer_put_text(out, "}\n");
}

static int export_all(struct rejected *r)
{
    bool is_stdout = strcmp(r->config->export_file, "-") == 0;
    FILE *file = is_stdout ? stdout : fopen(r->config->export_file, "w");
    struct buffer line = {0};
    uint64_t count = 0;
    PGresult *page;
    bool is_written;

    if (!file) {
        perror(r->config->export_file);
        return 1;
    }
    while ((page = fetch_page(r)) && PQntuples(page) > 0) {
        for (int row = 0; row < PQntuples(page); row++) {
            buffer_clear(&line);
            put_line(&line, page, row);
            fwrite(line.data, 1, line.bytes, file);
            count++;
        }
        PQclear(page);
    }
    PQclear(page);
    buffer_release(&line);
    is_written = !ferror(file) && fflush(file) == 0;
    if (!is_stdout && fclose(file) != 0)
        is_written = false;
    if (!is_written) {
        perror(r->config->export_file);
        return 1;
    }
    fprintf(stderr, "%" PRIu64 " rejected messages exported\n", count);
    return r->status;
}

/* ---- send again ----------------------------------------------------------------------------- */

static void on_link_closed(struct mqtt_link *link)
{
    struct rejected *r = link->config.user;

    uv_close((uv_handle_t *)&r->idle, NULL);
}

static void end(struct rejected *r)
{
    if (!r->link.on_closed)
        mqtt_link_close(&r->link, on_link_closed);
}

static void show_progress(const struct rejected *r)
{
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r%" PRIu64 " of %" PRIu64 " sent again", r->resubmitted, r->total);
}

static void on_idle(uv_timer_t *timer)
{
    struct rejected *r = timer->data;

    r->status = fail("the broker", r->link.state == MQTT_LINK_UP
                                       ? "no acknowledgement in time; what it did not acknowledge "
                                         "is kept"
                                       : r->link.failure);
    end(r);
}

static void note_refused(struct rejected *r, int row, int reason_code)
{
    if (r->refused++ > 0)
        return;
    r->refused_code = reason_code;
    log_escaped(r->refused_topic, sizeof(r->refused_topic), PQgetvalue(r->page, row, COLUMN_TOPIC),
                (size_t)PQgetlength(r->page, row, COLUMN_TOPIC));
}

static void send_page(struct rejected *r)
{
    PQclear(r->page);
    r->sent = 0;
    r->page = fetch_page(r);
    if (!r->page || PQntuples(r->page) == 0) {
        end(r);
        return;
    }
    for (; r->sent < PQntuples(r->page); r->sent++) {
        struct mqtt_property first_received = {FIRST_RECEIVED_PROPERTY,
                                               PQgetvalue(r->page, r->sent, COLUMN_RECEIVED_AT)};
        int mid = 0;

        if (!mqtt_link_publish_with(&r->link, &mid, PQgetvalue(r->page, r->sent, COLUMN_TOPIC),
                                    PQgetvalue(r->page, r->sent, COLUMN_PAYLOAD),
                                    (size_t)PQgetlength(r->page, r->sent, COLUMN_PAYLOAD), 1, false,
                                    &first_received)) {
            note_refused(r, r->sent, 0); /* a topic that cannot be published to */
            continue;
        }
        r->row_by_mid[mid & 0xffff] = r->sent + 1;
        r->outstanding++;
    }
    if (r->outstanding == 0)
        send_page(r);
}

static bool delete_row(struct rejected *r, int row)
{
    const char *params[] = {PQgetvalue(r->page, row, COLUMN_ID)};
    PGresult *result = PQexecParams(r->conn, "DELETE FROM rejected_messages WHERE id = $1::bigint",
                                    1, NULL, params, NULL, NULL, 0);
    bool is_deleted = PQresultStatus(result) == PGRES_COMMAND_OK;

    PQclear(result);
    return is_deleted;
}

static void on_published(struct mqtt_link *link, int mid, int reason_code)
{
    struct rejected *r = link->config.user;
    int row = r->row_by_mid[mid & 0xffff] - 1;

    if (row < 0)
        return;
    r->row_by_mid[mid & 0xffff] = 0;
    r->outstanding--;
    uv_timer_again(&r->idle);
    if (reason_code == NO_SUBSCRIBERS) { /* the broker threw it away */
        r->unheard++;
    } else if (reason_code != 0) {
        note_refused(r, row, reason_code);
    } else if (delete_row(r, row)) {
        r->resubmitted++;
    } else {
        r->status = fail_database(r, "rejected_messages");
        end(r);
        return;
    }
    show_progress(r);
    if (r->outstanding == 0)
        send_page(r);
}

static void on_up(struct mqtt_link *link, bool session_present)
{
    struct rejected *r = link->config.user;

    (void)session_present;
    if (!r->page)
        send_page(r); /* after a reconnect the library sends the rest of the page again */
}

/* How many of those that were sent again have been rejected again, once that number has come to
 * rest: the collector may be about to commit the last of them. */
static uint64_t count_returned(struct rejected *r)
{
    const char *params[] = {r->last_id, r->newest_at};
    uint64_t before = UINT64_MAX;

    for (int looks = 0; r->resubmitted > 0 && looks < LOOKS_MOST; looks++) {
        PGresult *result;
        uint64_t count;

        uv_sleep(LOOK_EVERY_MS);
        result = PQexecParams(r->conn, RETURNED_SQL, 2, NULL, params, NULL, NULL, 0);
        count = PQresultStatus(result) == PGRES_TUPLES_OK
                    ? strtoull(PQgetvalue(result, 0, 0), NULL, 10)
                    : 0;
        PQclear(result);
        if (count == before)
            break;
        before = count;
    }
    return before == UINT64_MAX ? 0 : before;
}

static int tell_refused(const struct rejected *r)
{
    if (r->refused_code == 0)
        fprintf(stderr, "collector: %" PRIu64 " kept: no message can be published to \"%s\"\n",
                r->refused, r->refused_topic);
    else
        fprintf(stderr,
                "collector: %" PRIu64 " kept: the broker refuses them: %s (reason 0x%02x). This "
                "client needs the right to publish to \"%s\" and the like\n",
                r->refused, mqtt_reason_text(r->refused_code, false), (unsigned)r->refused_code,
                r->refused_topic);
    return 1;
}

static int resubmit_all(struct rejected *r)
{
    struct mqtt_link_config mqtt = r->config->mqtt;
    char error[256];
    uint64_t returned;

    mqtt.name = "mqtt";
    mqtt.keepalive_s = 60;
    mqtt.user = r;
    mqtt.on_up = on_up;
    mqtt.on_published = on_published;
    uv_loop_init(&r->loop);
    if (!mqtt_link_start(&r->link, &r->loop, &mqtt, error, sizeof(error)))
        return fail("mqtt-url", error);
    uv_timer_init(&r->loop, &r->idle);
    r->idle.data = r;
    uv_timer_start(&r->idle, on_idle, r->config->give_up_after_ms, r->config->give_up_after_ms);
    uv_run(&r->loop, UV_RUN_DEFAULT);
    uv_loop_close(&r->loop);
    PQclear(r->page);
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\n");
    fprintf(stderr, "%" PRIu64 " sent again\n", r->resubmitted);
    if (r->unheard > 0)
        fprintf(stderr,
                "%" PRIu64 " kept: nobody subscribes to their topic (is their collector away, and "
                "has it been here before?)\n",
                r->unheard);
    if (r->refused > 0)
        r->status = tell_refused(r);
    returned = count_returned(r);
    if (returned > 0)
        fprintf(stderr,
                "%" PRIu64 " of them are back: rejected again, by a collector whose "
                "settings have not changed or for another reason\n",
                returned);
    return r->status;
}

int rejected_run(const struct rejected_config *config)
{
    const struct pg_session session = {.reads_only = !config->resubmit};
    struct rejected *r = mem_calloc(1, sizeof(*r));
    char reason[320];
    int status;

    r->config = config;
    strcpy(r->read_id, "0");
    r->conn = pg_session_open(config->database_url, "highwater rejected", &session,
                              config->give_up_after_ms, reason, sizeof(reason));
    if (!r->conn)
        status = fail("database", reason);
    else if (!find_extent(r))
        status = fail_database(r, "rejected_messages");
    else if (config->resubmit)
        status = resubmit_all(r);
    else if (config->export_file)
        status = export_all(r);
    else
        status = list(r);
    pg_session_close(r->conn);
    free(r);
    return status;
}
