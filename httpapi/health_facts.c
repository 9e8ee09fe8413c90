#include "httpapi/health_facts.h"

#include "httpapi/board_cache.h"
#include "httpapi/pool.h"
#include "httpapi/roster.h"
#include "httpapi/speakers.h"
#include "shared/base/timestamp.h"
#include "shared/net/mqtt_link.h"

/* A moment of the loop's clock, as a time; 0 = never stays 0. */
static int64_t to_time(const struct api *api, uint64_t at_ms, int64_t now_us)
{
    return at_ms > 0 ? now_us - (int64_t)(uv_now(api->loop) - at_ms) * 1000 : 0;
}

static void look_at_broker(struct api *api, struct health_facts *facts)
{
    const struct mqtt_link *broker = api->broker;
    struct buffer faults = {0};
    uint64_t since_ms;

    facts->is_broker_up = broker->state == MQTT_LINK_UP;
    since_ms = facts->is_broker_up ? broker->up_at_ms : broker->down_at_ms;
    facts->broker_since_us = since_ms > 0 ? to_time(api, since_ms, facts->now_us) : api->started_us;
    mqtt_link_write_faults(broker, &faults);
    facts->is_refused = faults.bytes > 0;
    buffer_release(&faults);
}

static void look_at_database(struct api *api, struct health_facts *facts)
{
    facts->is_database_up = pool_up_count(api->pool) > 0;
    facts->database_heard_us = to_time(api, roster_heard_ms(api->roster), facts->now_us);
    facts->is_database_unfit = roster_lacks(api->roster)[0] || roster_complains(api->roster);
    facts->is_standby = roster_is_standby(api->roster, &facts->replayed_us);
    facts->stored_us = to_time(api, roster_stored_ms(api->roster), facts->now_us);
    facts->known = roster_collector_count(api->roster);
}

static void look_at_collectors(struct api *api, struct health_facts *facts,
                               struct health_collector *collectors)
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
        collectors[facts->count++] = (struct health_collector){
            .id = speaker->id,
            .state = speaker->state,
            .lacks = speaker->lacks,
            .is_there = is_there,
            .since_us = is_there || says_end ? speaker->state_us
                                             : to_time(api, speaker->heard_ms, facts->now_us),
            .uncommitted_us = speaker->uncommitted_us};
    }
    facts->collectors = collectors;
}

void health_look(struct api *api, struct health *out)
{
    struct health_facts facts = {.now_us = timestamp_now()};
    struct health_collector collectors[BOARD_CACHE_COLLECTORS_MAX];
    int64_t boards_us = board_cache_as_of(api->boards);

    look_at_broker(api, &facts);
    look_at_database(api, &facts);
    look_at_collectors(api, &facts, collectors);
    facts.verdict = board_cache_verdict(api->boards, uv_now(api->loop));
    facts.boards_us = boards_us == INT64_MIN ? 0 : boards_us;
    health_judge(out, &facts);
}

bool health_has_database(const struct api *api)
{
    return pool_up_count(api->pool) > 0 && roster_is_heard(api->roster);
}
