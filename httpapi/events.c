#include "httpapi/events.h"

#include "httpapi/event_slots.h"
#include "httpapi/pool.h"
#include "httpapi/query.h"
#include "httpapi/reply.h"
#include "shared/base/mem.h"
#include "shared/base/timestamp.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    STATUS_MS = 1000,
    PAUSE_PER_COST = 10, /* the database is asked again after so many times what it took */
    PAUSE_MAX_MS = 60000
};

struct client {
    struct events *events;
    struct client *next;
    struct client *previous;
    struct server_request *request;
    struct params params;
    uint64_t position;
    uint64_t *seen; /* the number of each board it has; NULL = it takes whole boards only */
    struct event *sending;
    size_t sent;
    bool is_over; /* it asked under another catalog */
};

struct events {
    struct api *api;
    struct event_slots slots;
    struct client *clients;
    size_t client_count;
    uint64_t sent;
    uv_timer_t timer;
    bool is_stopped;

    struct query query; /* of one slot, when the boards do not have it */
    struct pool_job job;
    bool is_asking;
    bool is_asking_in_vain; /* the slot is gone */
    size_t asked_slot;
    uint64_t asked_ms;
    size_t next_slot;

    void (*on_closed)(void *user);
    void *closed_user;
};

/* ---- clients -------------------------------------------------------------------------------- */

/* The slot with the lowest number above the client's position, NULL when it has seen them all.
 * `seen` then is the client's number of that board, or NULL. */
static struct event_slot *next_for(struct client *client, uint64_t **seen)
{
    struct events *events = client->events;
    const struct params *params = &client->params;
    struct event_slot *found = NULL;

    *seen = NULL;
    if (client->is_over)
        return NULL;
    if (events->slots.status.number > client->position)
        found = &events->slots.status;
    for (size_t i = 0; i < params->feature_count; i++) {
        for (size_t j = 0; j < params->interval_count; j++) {
            struct event_slot *slot = event_slots_at(&events->slots, params->features[i],
                                                     params->intervals[j].index, params->order);

            if (slot->number > client->position && (!found || slot->number < found->number)) {
                found = slot;
                *seen = client->seen ? &client->seen[i * params->interval_count + j] : NULL;
            }
        }
    }
    return found;
}

/* The change, to who has what it goes upon; whoever fell behind gets the whole board. */
static struct event *choose_event(const struct event_slot *slot, uint64_t *seen)
{
    struct event *event = seen && slot->change && *seen == slot->upon ? slot->change : slot->event;

    if (seen)
        *seen = slot->number;
    return event;
}

static ssize_t on_read(void *user, char *out, size_t room)
{
    struct client *client = user;
    size_t used = 0;

    while (used < room) {
        size_t taken;

        if (!client->sending) {
            uint64_t *seen;
            struct event_slot *slot = next_for(client, &seen);

            if (!slot)
                break;
            client->sending = choose_event(slot, seen);
            client->sending->holds++;
            client->position = slot->number;
            client->sent = 0;
            client->events->sent++;
        }
        taken = client->sending->bytes - client->sent;
        if (taken > room - used)
            taken = room - used;
        memcpy(out + used, client->sending->text + client->sent, taken);
        used += taken;
        client->sent += taken;
        if (client->sent == client->sending->bytes) {
            event_release(client->sending);
            client->sending = NULL;
        }
    }
    return used == 0 && (client->events->is_stopped || client->is_over) ? SERVER_SOURCE_END
                                                                        : (ssize_t)used;
}

static void count_listeners(struct client *client, int by)
{
    const struct params *params = &client->params;

    for (size_t i = 0; i < params->feature_count && !client->is_over; i++) {
        for (size_t j = 0; j < params->interval_count; j++)
            event_slots_at(&client->events->slots, params->features[i], params->intervals[j].index,
                           params->order)
                ->listeners += (unsigned)by;
    }
}

static void on_stream_closed(void *user)
{
    struct client *client = user;
    struct events *events = client->events;

    count_listeners(client, -1);
    if (client->previous)
        client->previous->next = client->next;
    else
        events->clients = client->next;
    if (client->next)
        client->next->previous = client->previous;
    events->client_count--;
    events->slots.change_listeners -= client->seen != NULL;
    event_release(client->sending);
    free(client->seen);
    free(client);
}

static void wake(struct events *events)
{
    for (struct client *client = events->clients; client; client = client->next) {
        uint64_t *seen;

        if (client->sending || next_for(client, &seen) || client->is_over || events->is_stopped)
            server_wake(client->request);
    }
}

/* ---- from the database ---------------------------------------------------------------------- */

static void ask_database(struct events *events);

static void on_result(struct pool_job *job, const PGresult *result)
{
    struct events *events = job->user;

    events->query.kind->write(&events->query, result);
}

/* A question that is dear is asked rarely, however many listen: a tenth of one connection's time is the
 * most that one board costs. One that is cheap is asked every second. */
static void pause_slot(const struct events *events, struct event_slot *slot)
{
    uint64_t now_ms;
    uint64_t pause_ms;

    uv_update_time(events->api->loop);
    now_ms = uv_now(events->api->loop);
    pause_ms = (now_ms - events->asked_ms) * PAUSE_PER_COST;
    slot->not_before_ms = now_ms + (pause_ms < PAUSE_MAX_MS ? pause_ms : PAUSE_MAX_MS);
}

/* {"temperature":[...]}: the one member is what a board's event has. */
static void apply_answer(struct events *events)
{
    const struct buffer *body = &events->query.body;
    const char *array = strchr(buffer_text(&events->query.body), '[');
    struct buffer readings = {.data = (unsigned char *)(uintptr_t)array,
                              .bytes = body->bytes - 1 -
                                       (size_t)((const unsigned char *)array - body->data)};

    if (event_slots_update(&events->slots, events->asked_slot, &readings, events->query.as_of_us,
                           "database"))
        wake(events);
}

static void on_as_of(struct pool_job *job, int64_t as_of_us)
{
    struct events *events = job->user;

    query_set_as_of(&events->query, as_of_us);
    job->sql = buffer_text(&events->query.sql);
}

static void on_done(struct pool_job *job, const struct pg_error *error)
{
    struct events *events = job->user;

    events->is_asking = false;
    if (!events->is_asking_in_vain) {
        struct event_slot *slot = &events->slots.items[events->asked_slot];

        pause_slot(events, slot);
        if (!error && slot->needs_database && slot->listeners > 0)
            apply_answer(events);
    }
    events->is_asking_in_vain = false;
    query_release(&events->query);
    if (!error)
        ask_database(events); /* the next one of this round */
}

static bool is_due(const struct events *events, size_t index)
{
    const struct event_slot *slot = &events->slots.items[index];

    return slot->listeners > 0 && slot->needs_database &&
           uv_now(events->api->loop) >= slot->not_before_ms;
}

/* Asks for one slot after another; the timer begins a round every second. */
static void ask_database(struct events *events)
{
    struct api *api = events->api;
    struct params params;
    size_t feature;
    size_t interval;
    enum sort_order order;

    while (events->next_slot < events->slots.count && !is_due(events, events->next_slot))
        events->next_slot++;
    if (events->is_asking || events->is_stopped || events->next_slot >= events->slots.count)
        return;
    events->asked_slot = events->next_slot++;
    events->asked_ms = uv_now(api->loop);
    event_slots_locate(&events->slots, events->asked_slot, &feature, &interval, &order);
    params_init(&params, &api->rules);
    params.feature_count = 1;
    params.features[0] = feature;
    params.intervals[0] = (struct interval_choice){
        .index = interval, .interval = events->slots.catalog->intervals.items[interval]};
    params.order = order;
    query_init(&events->query, &query_dashboard, &params, events->slots.catalog, timestamp_now());
    events->job = (struct pool_job){.sql = buffer_text(&events->query.sql),
                                    .param_count = events->query.bound_count,
                                    .params = events->query.bound,
                                    .user = events,
                                    .on_as_of = on_as_of,
                                    .on_result = on_result,
                                    .on_done = on_done};
    events->is_asking = true;
    if (pool_submit(api->pool, &events->job, false) != POOL_TAKEN) {
        events->is_asking = false;
        query_release(&events->query);
    }
}

/* ---- the loop ------------------------------------------------------------------------------- */

void events_look(struct events *events)
{
    bool changed = false;

    if (events->client_count == 0 || events->is_stopped)
        return;
    for (size_t i = 0; i < events->slots.count; i++) {
        if (events->slots.items[i].listeners > 0)
            changed |= event_slots_look(&events->slots, i);
    }
    if (changed)
        wake(events);
}

static void on_timer(uv_timer_t *timer)
{
    struct events *events = timer->data;

    if (events->client_count == 0)
        return;
    events_look(events); /* boards may also have stopped being current */
    event_slots_publish_status(&events->slots);
    wake(events);
    events->next_slot = events->is_asking ? events->next_slot : 0;
    ask_database(events);
}

/* Last-Event-ID: 5f3a...-17. Zero, the beginning, when it is of another run. */
static uint64_t parse_position(const struct events *events, const char *id)
{
    uint64_t boot;
    uint64_t number;
    int end = 0;

    if (!id || sscanf(id, "%16" SCNx64 "-%18" SCNu64 "%n", &boot, &number, &end) != 2 || id[end] ||
        boot != events->slots.boot || number > events->slots.number)
        return 0;
    return number;
}

void events_answer(struct api *api, struct server_request *request, const struct route *route,
                   struct params *params)
{
    struct events *events = api->events;
    struct reply_headers headers;
    struct server_source source = {.read = on_read, .on_closed = on_stream_closed};
    struct client *client;

    (void)route;
    if (events->client_count >= api->max_event_streams || events->is_stopped) {
        struct problem problem;

        problem_set_unavailable(&problem, 5, "there are %zu streams of events already",
                                events->client_count);
        reply_problem(api, request, &problem, NULL);
        return;
    }
    client = mem_calloc(1, sizeof(*client));
    client->events = events;
    client->request = request;
    client->params = *params;
    client->position = parse_position(events, server_request_header(request, "Last-Event-ID"));
    if (params->changes == EVENTS_CHANGES) {
        client->seen =
            mem_calloc(params->feature_count * params->interval_count + 1, sizeof(client->seen[0]));
        events->slots.change_listeners++;
    }
    client->next = events->clients;
    if (events->clients)
        events->clients->previous = client;
    events->clients = client;
    events->client_count++;
    count_listeners(client, 1);
    if (events->slots.status.number == 0 || events->client_count == 1)
        event_slots_publish_status(&events->slots);
    events_look(events);
    ask_database(events);
    source.user = client;
    reply_headers_init(&headers, api, REPLY_EVENTS, REPLY_AS_IT_COMES, REPLY_CSP_DATA);
    reply_header_add(&headers, "X-Accel-Buffering", "no"); /* nginx would collect them */
    server_respond_stream(request, 200, headers.items, headers.count, &source, SERVER_STREAM_LIVE);
}

/* ---- life ----------------------------------------------------------------------------------- */

void events_renew(struct events *events)
{
    event_slots_renew(&events->slots);
    events->next_slot = 0;
    events->is_asking_in_vain = events->is_asking;
    for (struct client *client = events->clients; client; client = client->next)
        client->is_over = true;
    wake(events);
}

struct events *events_new(struct api *api)
{
    struct events *events = mem_calloc(1, sizeof(*events));

    events->api = api;
    event_slots_init(&events->slots, api);
    uv_timer_init(api->loop, &events->timer);
    events->timer.data = events;
    uv_timer_start(&events->timer, on_timer, STATUS_MS, STATUS_MS);
    return events;
}

void events_stop(struct events *events)
{
    events->is_stopped = true;
    wake(events);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct events *events = handle->data;
    void (*on_closed)(void *user) = events->on_closed;
    void *user = events->closed_user;

    event_slots_release(&events->slots);
    free(events);
    on_closed(user);
}

void events_close(struct events *events, void (*on_closed)(void *user), void *user)
{
    assert(events->client_count == 0 && !events->is_asking);
    events->on_closed = on_closed;
    events->closed_user = user;
    uv_close((uv_handle_t *)&events->timer, on_timer_closed);
}

size_t events_stream_count(const struct events *events)
{
    return events->client_count;
}

uint64_t events_sent_count(const struct events *events)
{
    return events->sent;
}
