/* The retained status, and lines about rejected messages. What the status says of the collector comes
 * from status.c; what it says of the boards is put here. */
#include "collector/board_publisher_inner.h"

#include "shared/base/json_write.h"
#include "shared/base/timestamp.h"

#include <inttypes.h>
#include <stdio.h>

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

    buffer_clear(out);
    buffer_put_text(out, "{\"collectorId\":");
    json_write_string(out, publisher->config.collector_id);
    buffer_printf(out, ",\"installation\":\"%s\",", publisher->rival.ours);
    publisher->config.put_status(publisher->config.user, out);
    buffer_put_text(out, "}");
    board_publisher_send(publisher, &publisher->status_permit, publisher->status_topic);
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
    char line_topic[128];

    if (!board_publisher_may_speak(publisher) ||
        publisher->rejected_lines++ >= REJECTED_LINES_PER_SECOND)
        return;
    snprintf(line_topic, sizeof(line_topic), "collectors/%s/rejected",
             publisher->config.collector_id);
    buffer_clear(out);
    buffer_put_text(out, "{\"topic\":");
    json_write_string(out, topic);
    buffer_printf(out, ",\"reason\":\"%s\",\"detail\":", reason);
    json_write_string(out, detail);
    buffer_put_text(out, "}");
    mqtt_link_publish(&publisher->mqtt, NULL, line_topic, out->data, out->bytes, 0, false);
}
