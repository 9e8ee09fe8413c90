/* What the broker lets us publish, and what comes of what it does not. */
#include "collector/sinks/mqtt_sink.h"

#include "shared/base/log.h"

#include <stdio.h>
#include <string.h>

enum { SUSPECTED_LEAST = 2 };

static void say_denied(struct mqtt_sink *m, const char *topic, int reason_code)
{
    if (m->has_said_denied)
        return;
    m->has_said_denied = true;
    log_error("boards: the broker does not let us publish on %s: %s; allow collectors/%s/# in its "
              "access control",
              topic, mqtt_reason_text(reason_code, false), m->sink.config.settings->collector_id);
}

/* A board that the broker did not take is not vouched for. */
void mqtt_sink_on_published(struct mqtt_link *link, int mid, int reason_code)
{
    struct mqtt_sink *m = link->config.user;

    if (permit_settle(&m->status.permit, mid, reason_code)) {
        if (m->status.permit.is_denied)
            say_denied(m, m->status_topic, reason_code);
        m->sink.events->on_taking(m->sink.user);
        return;
    }
    if (permit_settle(&m->notes, mid, reason_code)) {
        if (m->notes.is_denied) {
            say_denied(m, m->notes_topic, reason_code);
            m->sink.events->on_note_refused(m->sink.user);
        }
        return;
    }
    for (size_t i = 0; i < m->sink.config.board_count; i++) {
        struct mqtt_place *place = &m->boards[i];

        if (!permit_settle(&place->permit, mid, reason_code))
            continue;
        if (place->permit.is_denied) {
            m->sink.events->on_lacking(m->sink.user, &m->sink, i);
            say_denied(m, place->topic, reason_code);
        }
        return;
    }
}

void mqtt_sink_put_denied(const struct mqtt_sink *m, struct buffer *out)
{
    bool is_board = false;

    if (m->suspected >= SUSPECTED_LEAST && mqtt_link_is_flapping(&m->link))
        buffer_printf(out, "the broker ends the connection when we publish on %s\n", m->suspect);

    for (size_t i = 0; i < m->sink.config.board_count && !is_board; i++)
        is_board = m->boards[i].permit.is_denied;
    if (m->status.permit.is_denied)
        buffer_printf(out, "the broker does not let us publish on %s\n", m->status_topic);
    if (m->notes.is_denied)
        buffer_printf(out, "the broker does not let us publish on %s#\n", m->notes_topic);
    if (is_board)
        buffer_printf(out, "the broker does not let us publish on %s#\n", m->boards_topic);
}

/* Some brokers end the connection over a publication that they do not allow, or that is too large,
 * and not all say so. Once it may have another reason; twice in a row, hardly. */
void mqtt_sink_note_suspect(struct mqtt_sink *m)
{
    const char *topic = m->status.permit.mid != 0 ? m->status_topic : NULL;

    for (size_t i = 0; i < m->sink.config.board_count && !topic; i++) {
        if (m->boards[i].permit.mid != 0)
            topic = m->boards[i].topic;
    }
    if (!topic)
        return;
    if (strcmp(topic, m->suspect) != 0)
        m->suspected = 0;
    snprintf(m->suspect, sizeof(m->suspect), "%s", topic);
    if (++m->suspected == SUSPECTED_LEAST)
        log_error("boards: the broker ends the connection when we publish on %s; allow "
                  "collectors/%s/# in its access control, or raise its largest packet size",
                  topic, m->sink.config.settings->collector_id);
}
