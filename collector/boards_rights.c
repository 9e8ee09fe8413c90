/* What the broker lets us publish, and what comes of what it does not. */
#include "collector/boards_rights.h"

#include "shared/base/log.h"

#include <stdio.h>
#include <string.h>

enum { SUSPECTED_LEAST = 2 };

static void name_board(struct boards *boards, size_t at)
{
    const struct windows *windows = boards->config.windows;
    const struct staircase_kind *kind = &windows->kinds[at / windows->interval_count];

    buffer_clear(&boards->topic);
    board_topic(&boards->topic, boards->config.collector_id,
                boards->config.features->names[kind->feature],
                boards->config.intervals->items[at % windows->interval_count].name,
                kind->sign > 0 ? ORDER_HIGHEST : ORDER_LOWEST);
}

static void say_denied(struct boards *boards, const char *topic, int reason_code)
{
    if (boards->has_said_denied)
        return;
    boards->has_said_denied = true;
    log_error("boards: the broker does not let us publish on %s: %s; allow collectors/%s/# in its "
              "access control",
              topic, mqtt_reason_text(reason_code, false), boards->config.collector_id);
}

/* A board that the broker did not take is not vouched for. */
void boards_on_published(struct mqtt_link *link, int mid, int reason_code)
{
    struct boards *boards = link->config.user;

    if (permit_take(&boards->status_permit, mid, reason_code)) {
        if (boards->status_permit.is_denied)
            say_denied(boards, boards->status_topic, reason_code);
        boards_note_news(boards);
        boards_look(boards);
        return;
    }
    for (size_t i = 0; i < boards_count(boards); i++) {
        struct board_copy *copy = &boards->copies[i];

        if (!permit_take(&copy->permit, mid, reason_code))
            continue;
        if (copy->permit.is_denied) {
            copy->generation = 0;
            name_board(boards, i);
            say_denied(boards, buffer_text(&boards->topic), reason_code);
        }
        return;
    }
}

void boards_write_faults(const struct boards *boards, struct buffer *out)
{
    const char *id = boards->config.collector_id;
    bool is_board = false;

    if (boards->suspected >= SUSPECTED_LEAST && mqtt_link_is_flapping(&boards->mqtt))
        buffer_printf(out, "the broker ends the connection when we publish on %s\n",
                      boards->suspect);

    for (size_t i = 0; i < boards_count(boards) && !is_board; i++)
        is_board = boards->copies[i].permit.is_denied;
    if (boards->status_permit.is_denied)
        buffer_printf(out, "the broker does not let us publish on %s\n", boards->status_topic);
    if (is_board)
        buffer_printf(out, "the broker does not let us publish on collectors/%s/boards/#\n", id);
}

/* Some brokers end the connection over a publication that they do not allow, or that is too large,
 * and not all say so. Once it may have another reason, twice hardly. */
void boards_suspect(struct boards *boards)
{
    const char *topic = boards->status_permit.mid != 0 ? boards->status_topic : NULL;

    for (size_t i = 0; i < boards_count(boards) && !topic; i++) {
        if (boards->copies[i].permit.mid == 0)
            continue;
        name_board(boards, i);
        topic = buffer_text(&boards->topic);
    }
    if (!topic)
        return;
    if (strcmp(topic, boards->suspect) != 0)
        boards->suspected = 0;
    snprintf(boards->suspect, sizeof(boards->suspect), "%s", topic);
    if (++boards->suspected == SUSPECTED_LEAST)
        log_error("boards: the broker ends the connection when we publish on %s; allow "
                  "collectors/%s/# in its access control, or raise its largest packet size",
                  topic, boards->config.collector_id);
}

void boards_ask_again(struct boards *boards)
{
    for (size_t i = 0; i < boards_count(boards); i++) {
        if (!boards->copies[i].permit.is_denied)
            continue;
        boards->copies[i].is_current = false;
        boards_note_news(boards);
    }
}
