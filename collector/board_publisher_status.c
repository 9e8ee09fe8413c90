/* The retained status, and lines about rejected messages. What the status says of the collector comes
 * from status.c; what it says of the boards is put here. */
#include "collector/board_publisher_inner.h"

#include "shared/base/json_write.h"
#include "shared/base/timestamp.h"
#include "shared/net/prometheus.h"

#include <inttypes.h>

enum { REJECTED_LINES_PER_SECOND = 10 };

/* In the order of the copies: by feature, highest and lowest, interval. */
void board_publisher_put_span(const struct board_publisher *publisher, struct buffer *out)
{
    char when[TIMESTAMP_TEXT_SIZE];

    timestamp_format(when, publisher->moments.as_of_us);
    buffer_printf(out, "\"asOf\":\"%s\",", when);
    timestamp_format(when, publisher->moments.since_us);
    buffer_printf(out, "\"since\":\"%s\",\"generations\":[", when);
    for (size_t i = 0; i < board_publisher_count(publisher); i++)
        buffer_printf(out, "%s%" PRId64, i > 0 ? "," : "",
                      publisher->is_complete ? publisher->copies[i].generation : 0);
    buffer_put_text(out, "]");
}

void board_publisher_send_status(struct board_publisher *publisher)
{
    struct buffer *out = &publisher->payload;
    const struct sink_item item = {.what = SINK_STATUS, .key = publisher->status_key, .bytes = out};

    buffer_clear(out);
    buffer_put_text(out, "{\"collectorId\":");
    json_write_string(out, publisher->config.collector_id);
    buffer_printf(out, ",\"installation\":\"%s\",", publisher->installation);
    publisher->config.put_status(publisher->config.user, out);
    buffer_put_text(out, "}");
    board_publisher_put(publisher, &item);
    publisher->status_as_of_us = publisher->moments.as_of_us;
}

void board_publisher_publish_status(struct board_publisher *publisher)
{
    if (board_publisher_may_speak(publisher))
        board_publisher_send_status(publisher);
}

void board_publisher_report_rejected(struct board_publisher *publisher, const char *topic,
                                     const char *reason, const char *detail)
{
    struct buffer *out = &publisher->payload;
    const struct sink_item item = {.what = SINK_LINE, .key = publisher->rejected_key, .bytes = out};

    if (!board_publisher_may_speak(publisher) ||
        publisher->rejected_lines++ >= REJECTED_LINES_PER_SECOND)
        return;
    buffer_clear(out);
    buffer_put_text(out, "{\"topic\":");
    json_write_string(out, topic);
    buffer_printf(out, ",\"reason\":\"%s\",\"detail\":", reason);
    json_write_string(out, detail);
    buffer_put_text(out, "}");
    board_publisher_put(publisher, &item);
}

/* How many of the boards that are out may lack something that the windows had no memory for. */
static size_t inexact(const struct board_publisher *publisher)
{
    size_t inexact = 0;

    for (size_t i = 0; i < board_publisher_count(publisher); i++)
        inexact += publisher->copies[i].is_current && !publisher->copies[i].is_exact;
    return inexact;
}

void board_publisher_put_metrics(const struct board_publisher *publisher,
                                 const struct prometheus *to)
{
    const struct prometheus_sample samples[] = {
        {"highwater_boards_inexact", "gauge",
         "Boards that lack memory, and are asked of the database.", (double)inexact(publisher)},
        {"highwater_boards_as_of_seconds", "gauge",
         "The time as of which the boards are, since 1970.",
         (double)board_publisher_as_of_us(publisher) / 1e6},
        {"highwater_boards_published_total", "counter", "Boards published.",
         (double)publisher->boards_published},
    };

    PROMETHEUS_WRITE(to, samples);
    for (size_t i = 0; i < publisher->config.sinks->count; i++)
        sink_put_metrics(publisher->config.sinks->items[i], to);
}
