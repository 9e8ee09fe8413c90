#include "httpapi/health_facts.h"

#include "httpapi/board_cache.h"
#include "httpapi/pool.h"
#include "httpapi/roster.h"
#include "httpapi/speakers.h"
#include "shared/base/log.h"
#include "shared/base/timestamp.h"
#include "shared/net/mqtt_link.h"

#include <string.h>

enum { REASON_SIZE = 320 };

/* What the facts point to. */
struct findings {
    char broker_failure[REASON_SIZE];
    char database_failure[REASON_SIZE];
    char database_lacks[REASON_SIZE];
    struct buffer broker_fault;
    struct health_collector collectors[BOARD_CACHE_COLLECTORS_MAX];
};

/* A moment of the loop's clock, as a time; 0 = never stays 0. */
static int64_t to_time(const struct api *api, uint64_t at_ms, int64_t now_us)
{
    return at_ms > 0 ? now_us - (int64_t)(uv_now(api->loop) - at_ms) * 1000 : 0;
}

/* What others say, as text that shows all it is. */
static const char *quote(char out[REASON_SIZE], const char *text)
{
    log_visible(out, REASON_SIZE, text, strlen(text));
    return out;
}

static const char *join_lines(struct buffer *lines)
{
    for (size_t i = 0; i < lines->bytes; i++) {
        if (lines->data[i] == '\n')
            lines->data[i] = i + 1 < lines->bytes ? ';' : ' ';
    }
    return lines->bytes > 0 ? buffer_text(lines) : "";
}

static void look_at_broker(struct api *api, struct health_facts *facts, struct findings *found)
{
    const struct mqtt_link *broker = api->broker;
    uint64_t since_ms;

    facts->is_broker_up = broker->state == MQTT_LINK_UP;
    since_ms = facts->is_broker_up ? broker->up_at_ms : broker->down_at_ms;
    facts->broker_since_us = since_ms > 0 ? to_time(api, since_ms, facts->now_us) : api->started_us;
    facts->broker_failure = quote(found->broker_failure, broker->failure);
    mqtt_link_write_faults(broker, &found->broker_fault);
    facts->broker_fault = join_lines(&found->broker_fault);
}

static void look_at_database(struct api *api, struct health_facts *facts, struct findings *found)
{
    const char *lacks = roster_lacks(api->roster);

    facts->is_database_up = pool_up_count(api->pool) > 0;
    facts->database_heard_us = to_time(api, roster_heard_ms(api->roster), facts->now_us);
    facts->database_fails = quote(found->database_failure, pool_failure(api->pool));
    facts->database_lacks =
        quote(found->database_lacks, lacks[0] ? lacks : roster_complaint(api->roster));
    facts->is_standby = roster_is_standby(api->roster, &facts->replayed_us);
    facts->stored_us = to_time(api, roster_stored_ms(api->roster), facts->now_us);
    facts->known = roster_collector_count(api->roster);
}

static void look_at_collectors(struct api *api, struct health_facts *facts, struct findings *found)
{
    const struct speakers *speakers = board_cache_speakers(api->boards);
    uint64_t now_ms = uv_now(api->loop);

    for (size_t i = 0; i < speakers->count; i++) {
        const struct speaker *speaker = speakers->items[i];
        bool is_there = speaker_is_there(speaker, now_ms);
        bool says_end = speaker->state == COLLECTOR_STOPPED || speaker->state == COLLECTOR_LOST;

        if (!speaker->shown)
            continue;
        if (speakers->has_known && !speaker->is_known) {
            facts->has_strangers |= is_there;
            continue;
        }
        found->collectors[facts->count++] = (struct health_collector){
            .id = speaker->id,
            .state = speaker->state,
            .lacks = speaker->lacks,
            .is_there = is_there,
            .since_us = is_there || says_end ? speaker->state_us
                                             : to_time(api, speaker->heard_ms, facts->now_us),
            .uncommitted_us = speaker->uncommitted_us};
    }
    facts->collectors = found->collectors;
}

void health_look(struct api *api, struct health *out)
{
    struct health_facts facts = {.now_us = timestamp_now()};
    struct findings found;
    int64_t boards_us = board_cache_as_of(api->boards);

    found.broker_fault = (struct buffer){0};
    look_at_broker(api, &facts, &found);
    look_at_database(api, &facts, &found);
    look_at_collectors(api, &facts, &found);
    facts.verdict = board_cache_verdict(api->boards, uv_now(api->loop));
    facts.boards_us = boards_us == INT64_MIN ? 0 : boards_us;
    health_judge(out, &facts);
    buffer_release(&found.broker_fault);
}

bool health_has_database(const struct api *api)
{
    return pool_up_count(api->pool) > 0 && roster_is_heard(api->roster);
}
