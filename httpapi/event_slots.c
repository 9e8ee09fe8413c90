#include "httpapi/event_slots.h"

#include "httpapi/api.h"
#include "httpapi/board_cache.h"
#include "httpapi/board_changes.h"
#include "httpapi/front.h"
#include "httpapi/health_facts.h"
#include "httpapi/roster.h"
#include "shared/base/mem.h"
#include "shared/base/timestamp.h"
#include "shared/model/reading_json.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void event_release(struct event *event)
{
    if (event && --event->holds == 0)
        free(event);
}

static struct event *make_event(const struct event_slots *slots, const char *name,
                                const struct buffer *data)
{
    struct buffer text = {0};
    struct event *event;

    buffer_printf(&text, "event: %s\nid: %" PRIx64 "-%" PRIu64 "\ndata: ", name, slots->boot,
                  slots->number);
    buffer_put(&text, data->data, data->bytes); /* JSON of ours has no line breaks */
    buffer_put_text(&text, "\n\n");
    event = mem_alloc(sizeof(*event) + text.bytes);
    event->holds = 1;
    event->bytes = text.bytes;
    memcpy(event->text, text.data, text.bytes);
    buffer_release(&text);
    return event;
}

static void publish(struct event_slots *slots, struct event_slot *slot, const char *name,
                    const struct buffer *data)
{
    slot->number = ++slots->number;
    event_release(slot->event);
    slot->event = make_event(slots, name, data);
}

struct event_slot *event_slots_at(struct event_slots *slots, size_t feature, size_t interval,
                                  enum sort_order order)
{
    return &slots->items[(feature * slots->catalog->intervals.count + interval) * ORDER_COUNT +
                         order];
}

void event_slots_locate(const struct event_slots *slots, size_t index, size_t *feature,
                        size_t *interval, enum sort_order *order)
{
    *order = (enum sort_order)(index % ORDER_COUNT);
    *interval = index / ORDER_COUNT % slots->catalog->intervals.count;
    *feature = index / ORDER_COUNT / slots->catalog->intervals.count;
}

/* What of the board changed since the event that is published now; `head` has its first members. */
static struct event *make_change(const struct event_slots *slots, const struct event_slot *slot,
                                 const struct buffer *head, const struct buffer *readings)
{
    struct buffer data = {0};
    struct event *event = NULL;

    buffer_put(&data, head->data, head->bytes);
    buffer_printf(&data, "\"upon\":\"%" PRIx64 "-%" PRIu64 "\",", slots->boot, slot->upon);
    if (board_changes_write(&data, &slot->readings, readings)) {
        buffer_put_text(&data, "}");
        event = make_event(slots, "change", &data);
    }
    buffer_release(&data);
    return event;
}

/* A board's readings, as a JSON array. True when that is news. */
bool event_slots_update(struct event_slots *slots, size_t index, struct buffer *readings,
                        int64_t as_of_us, const char *source)
{
    struct event_slot *slot = &slots->items[index];
    struct buffer data = {0};
    size_t head_bytes;
    bool had_event = slot->event != NULL;
    char when[TIMESTAMP_TEXT_SIZE];
    size_t feature;
    size_t interval;
    enum sort_order order;

    if (slot->event && slot->readings.bytes == readings->bytes &&
        memcmp(slot->readings.data, readings->data, readings->bytes) == 0)
        return false;
    event_slots_locate(slots, index, &feature, &interval, &order);
    timestamp_format(when, as_of_us);
    buffer_printf(&data,
                  "{\"feature\":\"%s\",\"interval\":\"%s\",\"order\":\"%s\",\"asOf\":\"%s\","
                  "\"source\":\"%s\",",
                  slots->catalog->features.names[feature],
                  slots->catalog->intervals.items[interval].name, sort_order_text(order), when,
                  source);
    head_bytes = data.bytes;
    buffer_put_text(&data, "\"readings\":");
    buffer_put(&data, readings->data, readings->bytes);
    buffer_put_text(&data, "}");
    slot->upon = slot->number;
    publish(slots, slot, "board", &data);
    event_release(slot->change);
    slot->change = NULL;
    if (had_event && slots->change_listeners > 0) {
        data.bytes = head_bytes;
        slot->change = make_change(slots, slot, &data, readings);
    }
    buffer_release(&data);
    buffer_clear(&slot->readings);
    buffer_put(&slot->readings, readings->data, readings->bytes);
    return true;
}

/* The board as a set has it. */
static enum weighing_verdict show_set(struct event_slots *slots, size_t index, enum board_set set,
                                      bool *changed)
{
    struct api *api = slots->api;
    struct buffer readings = {0};
    struct boards_merged merged;
    size_t feature;
    size_t interval;
    enum sort_order order;
    enum weighing_verdict verdict;

    event_slots_locate(slots, index, &feature, &interval, &order);
    verdict = board_cache_merge(api->boards, set, feature, interval, order, api->rules.top_devices,
                                uv_now(api->loop), &merged);
    if (verdict != WEIGHED_EXACT)
        return verdict;
    buffer_put_text(&readings, "[");
    for (size_t i = 0; i < merged.count; i++) {
        if (i > 0)
            buffer_put_text(&readings, ",");
        reading_json_write(&readings, merged.entries[i].device_id, merged.entries[i].reading,
                           &slots->catalog->features);
    }
    buffer_put_text(&readings, "]");
    *changed = event_slots_update(slots, index, &readings, merged.as_of_us, "boards");
    buffer_release(&readings);
    return WEIGHED_EXACT;
}

bool event_slots_look(struct event_slots *slots, size_t index)
{
    struct event_slot *slot = &slots->items[index];
    bool changed = false;

    slot->needs_database = show_set(slots, index, BOARD_SET_CURRENT, &changed) != WEIGHED_EXACT;
    /* without a database a new client gets the last boards that were whole */
    if (slot->needs_database && !slot->event && !health_has_database(slots->api))
        show_set(slots, index, BOARD_SET_STANDING, &changed);
    return changed;
}

/* The as-of of answers that are given now. Without boards and database it is that of the last boards, and
 * stands still: a connection to a database that says nothing is none. INT64_MIN = there is nothing. */
static int64_t as_of(const struct api *api, bool is_of_boards)
{
    int64_t replayed_us;

    if (is_of_boards || !health_has_database(api))
        return board_cache_as_of(api->boards);
    return roster_is_standby(api->roster, &replayed_us) ? replayed_us : timestamp_now();
}

static void put_time(struct buffer *out, const char *name, int64_t us)
{
    char when[TIMESTAMP_TEXT_SIZE];

    buffer_printf(out, ",\"%s\":", name);
    if (us == INT64_MIN) {
        buffer_put_text(out, "null");
        return;
    }
    timestamp_format(when, us);
    buffer_printf(out, "\"%s\"", when);
}

void event_slots_publish_status(struct event_slots *slots)
{
    struct api *api = slots->api;
    struct buffer data = {0};
    struct health health;
    enum weighing_verdict verdict = board_cache_verdict(api->boards, uv_now(api->loop));
    int64_t replayed_us;

    health_look(api, &health);
    buffer_printf(&data, "{\"source\":\"%s\"",
                  verdict == WEIGHED_EXACT   ? "boards"
                  : health_has_database(api) ? "database"
                                             : "none");
    put_time(&data, "at", timestamp_now());
    put_time(&data, "asOf", as_of(api, verdict == WEIGHED_EXACT));
    buffer_put_text(&data, ",\"health\":");
    health_write(&data, &health);
    buffer_printf(&data, ",\"reason\":\"%s\",\"collectors\":",
                  verdict != WEIGHED_EXACT && roster_is_standby(api->roster, &replayed_us)
                      ? "the database is a standby: answers are as of what it has replayed"
                      : weighing_verdict_text(verdict));
    board_cache_write_collectors(api->boards, &data, uv_now(api->loop));
    buffer_put_text(&data, ",\"front\":");
    front_write(&data, api);
    buffer_put_text(&data, "}");
    publish(slots, &slots->status, "status", &data);
    buffer_release(&data);
}

/* ---- life ----------------------------------------------------------------------------------- */

static void make_slots(struct event_slots *slots)
{
    slots->catalog = catalog_hold(slots->api->catalog);
    slots->count = slots->catalog->features.count * slots->catalog->intervals.count * ORDER_COUNT;
    slots->items = mem_calloc(slots->count, sizeof(slots->items[0]));
}

static void free_slots(struct event_slots *slots)
{
    for (size_t i = 0; i < slots->count; i++) {
        event_release(slots->items[i].event);
        event_release(slots->items[i].change);
        buffer_release(&slots->items[i].readings);
    }
    free(slots->items);
    catalog_release(slots->catalog);
}

void event_slots_init(struct event_slots *slots, struct api *api)
{
    *slots = (struct event_slots){.api = api, .boot = (uint64_t)timestamp_now()};
    make_slots(slots);
}

void event_slots_renew(struct event_slots *slots)
{
    free_slots(slots);
    make_slots(slots);
}

void event_slots_release(struct event_slots *slots)
{
    free_slots(slots);
    event_release(slots->status.event);
}
