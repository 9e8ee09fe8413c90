/* What the broker lets us publish, and what comes of what it does not. */
#include "collector/board_publisher_inner.h"

#include "shared/base/log.h"

#include <stdio.h>
#include <string.h>

enum { SUSPECTED_LEAST = 2 };

static const char *topic_of(struct board_publisher *publisher, size_t at)
{
    uint32_t intervals = publisher->config.windows->interval_count;

    return board_publisher_topic(publisher, (uint32_t)(at / intervals), (uint32_t)(at % intervals));
}

static void say_denied(struct board_publisher *publisher, const char *topic, int reason_code)
{
    if (publisher->has_said_denied)
        return;
    publisher->has_said_denied = true;
    log_error("boards: the broker does not let us publish on %s: %s; allow collectors/%s/# in its "
              "access control",
              topic, mqtt_reason_text(reason_code, false), publisher->config.collector_id);
}

/* A board that the broker did not take is not vouched for. */
void board_publisher_on_published(struct mqtt_link *link, int mid, int reason_code)
{
    struct board_publisher *publisher = link->config.user;

    if (permit_settle(&publisher->status_permit, mid, reason_code)) {
        if (publisher->status_permit.is_denied)
            say_denied(publisher, publisher->status_topic, reason_code);
        board_publisher_note_news(publisher);
        board_publisher_update(publisher);
        return;
    }
    for (size_t i = 0; i < board_publisher_count(publisher); i++) {
        struct board_copy *copy = &publisher->copies[i];

        if (!permit_settle(&copy->permit, mid, reason_code))
            continue;
        if (copy->permit.is_denied) {
            copy->generation = 0;
            say_denied(publisher, topic_of(publisher, i), reason_code);
        }
        return;
    }
}

void board_publisher_put_faults(const struct board_publisher *publisher, struct buffer *out)
{
    const char *id = publisher->config.collector_id;
    bool is_board = false;

    if (publisher->suspected >= SUSPECTED_LEAST && mqtt_link_is_flapping(&publisher->mqtt))
        buffer_printf(out, "the broker ends the connection when we publish on %s\n",
                      publisher->suspect);

    for (size_t i = 0; i < board_publisher_count(publisher) && !is_board; i++)
        is_board = publisher->copies[i].permit.is_denied;
    if (publisher->status_permit.is_denied)
        buffer_printf(out, "the broker does not let us publish on %s\n", publisher->status_topic);
    if (is_board)
        buffer_printf(out, "the broker does not let us publish on collectors/%s/boards/#\n", id);
}

/* Some brokers end the connection over a publication that they do not allow, or that is too large,
 * and not all say so. Once it may have another reason; twice in a row, hardly. */
void board_publisher_note_suspect(struct board_publisher *publisher)
{
    const char *topic = publisher->status_permit.mid != 0 ? publisher->status_topic : NULL;

    for (size_t i = 0; i < board_publisher_count(publisher) && !topic; i++) {
        if (publisher->copies[i].permit.mid == 0)
            continue;
        topic = topic_of(publisher, i);
    }
    if (!topic)
        return;
    if (strcmp(topic, publisher->suspect) != 0)
        publisher->suspected = 0;
    snprintf(publisher->suspect, sizeof(publisher->suspect), "%s", topic);
    if (++publisher->suspected == SUSPECTED_LEAST)
        log_error("boards: the broker ends the connection when we publish on %s; allow "
                  "collectors/%s/# in its access control, or raise its largest packet size",
                  topic, publisher->config.collector_id);
}

void board_publisher_retry_denied(struct board_publisher *publisher)
{
    for (size_t i = 0; i < board_publisher_count(publisher); i++) {
        if (!publisher->copies[i].permit.is_denied)
            continue;
        publisher->copies[i].is_current = false;
        board_publisher_note_news(publisher);
    }
}
