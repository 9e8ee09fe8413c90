/* What Redis answers, and what follows from it. */
#include "collector/sinks/redis_sink.h"

#include "shared/base/log.h"

#include <hiredis.h>

#include <stdio.h>
#include <string.h>

static struct redis_sink *sink_of(const struct redis_link *link)
{
    const struct redis_node *node = link->config.user;

    return node->sink;
}

void redis_sink_on_up(struct redis_link *link)
{
    struct redis_sink *r = sink_of(link);

    /* what cannot be put at once, because something is unsettled, is not forgotten */
    for (size_t i = 0; i < redis_sink_status_place(r); i++)
        r->places[i].is_lacking = true;
    r->sink.events->on_ready(r->sink.user, &r->sink);
}

/* Whether Redis has what was on its way nobody knows: it is put again. */
void redis_sink_on_down(struct redis_link *link)
{
    const struct redis_node *node = link->config.user;
    struct redis_sink *r = sink_of(link);

    for (size_t i = 0; i <= redis_sink_status_place(r); i++) {
        struct redis_place *place = &r->places[i];

        if (place->sent_to == node) {
            place->sent_to = NULL;
            place->is_lacking = true;
            redis_sink_drop_waiting(place);
        }
        if (place->node == node)
            place->node = NULL;
    }
    r->lines_outstanding = 0;
    if (node != r->nodes[0] && r->is_joined)
        redis_link_leave(link); /* MOVED names it again, if it is one of the cluster's */
}

/* Said once for each reason. */
static void note_refusal(struct redis_sink *r, const char *reason)
{
    if (strcmp(reason, r->refusal) == 0)
        return;
    snprintf(r->refusal, sizeof(r->refusal), "%s", reason);
    log_warning("redis: it does not take all boards: %s", reason);
}

static void follow(struct redis_sink *r, struct redis_place *place, const struct redis_link *link,
                   const char *moved)
{
    char host[REDIS_HOST_SIZE];
    char error[256];
    int port;

    if (!redis_error_target(moved, host, sizeof(host), &port)) {
        note_refusal(r, "the cluster does not say which of its nodes has the key");
        return;
    }
    place->node =
        redis_sink_find_node(r, *host ? host : link->config.host, port, error, sizeof(error));
    if (!place->node)
        note_refusal(r, error);
}

static void note_error(struct redis_sink *r, struct redis_place *place, struct redis_link *link,
                       const char *text)
{
    enum redis_error error = redis_error_of(text);
    char reason[sizeof(r->refusal)];

    place->is_lacking = true;
    redis_error_explain(text, true, reason, sizeof(reason));
    switch (error) {
    case REDIS_NOSCRIPT:
        redis_link_load_script(link);
        return;
    case REDIS_MOVED:
        follow(r, place, link, text);
        return;
    case REDIS_UNFIT:
        note_refusal(r, reason);
        redis_link_go_down(link, reason);
        return;
    case REDIS_ASK:
    case REDIS_REFUSED:
    case REDIS_OTHER:
        break;
    }
    r->refused++;
    note_refusal(r, reason);
}

static void note_result(struct redis_sink *r, struct redis_place *place, long long result)
{
    place->is_lacking = result == REDIS_OLDER;
    place->is_put = true;
    place->renew_at_ms =
        uv_now(r->sink.config.loop) + (uint64_t)redis_sink_expiry_ms(r) / REDIS_RENEWALS;
    r->older += result == REDIS_OLDER;
    r->stored += result == REDIS_PUT;
    r->renewed += result == REDIS_RENEWED;
    if (result == REDIS_OLDER)
        note_refusal(r, "it has newer ones under this COLLECTOR_ID: another collector with this id "
                        "has begun since, or another database once had it here");
    else if (*r->refusal && redis_sink_lacking(r) == 0) {
        log_info("redis: it takes all boards again");
        r->refusal[0] = '\0';
    }
}

void redis_sink_on_reply(struct redis_link *link, uint32_t tag, const struct redisReply *reply)
{
    struct redis_sink *r = sink_of(link);
    struct redis_place *place;

    if (tag == redis_sink_line_tag(r)) {
        r->lines_outstanding -= r->lines_outstanding > 0;
        return;
    }
    place = &r->places[tag];
    place->sent_to = NULL;
    if (reply->type == REDIS_REPLY_INTEGER)
        note_result(r, place, reply->integer);
    else
        note_error(r, place, link,
                   reply->type == REDIS_REPLY_ERROR ? reply->str : "what is no answer of ours");
    redis_sink_send(r, place);
}
