#include "collector/store.h"

#include "collector/devices.h"
#include "collector/hearing.h"
#include "collector/settings.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#ifndef HIGHWATER_KAFKA
static const char *say_absent(const char *url)
{
    (void)url;
    return KAFKA_ABSENT;
}

static const char *const absent_schemes[] = {"kafka", NULL};
const struct store_kind store_kafka = {.schemes = absent_schemes, .url_flaw = say_absent};
#endif

/* The first takes every other URL, too: what libpq takes need not begin like one. */
static const struct store_kind *const kinds[] = {&store_postgres, &store_kafka};

static bool is_for(const struct store_kind *kind, const char *url)
{
    size_t bytes = strcspn(url, ":");

    for (const char *const *scheme = kind->schemes; *scheme; scheme++) {
        if (strlen(*scheme) == bytes && memcmp(*scheme, url, bytes) == 0)
            return true;
    }
    return false;
}

static const struct store_kind *find_kind(const char *url)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (is_for(kinds[i], url))
            return kinds[i];
    }
    return kinds[0];
}

const char *store_url_flaw(const char *url)
{
    return find_kind(url)->url_flaw(url);
}

bool store_url_has_positions(const char *url)
{
    return find_kind(url)->find_positions != NULL;
}

bool store_check(const struct settings *settings, char error[STORE_ERROR_SIZE])
{
    const struct store_kind *kind = find_kind(settings_store_url(settings));

    return !kind->check || kind->check(settings, error, STORE_ERROR_SIZE);
}

struct store *store_new(const struct store_config *config)
{
    const struct store_kind *kind = find_kind(settings_store_url(config->settings));
    struct store *store = kind->make();

    store->kind = kind;
    store->config = *config;
    return store;
}

void store_free(struct store *store)
{
    if (!store)
        return;
    mqtt_identity_release(&store->identity);
    store->kind->free(store);
}

bool store_migrate(struct store *store, uv_loop_t *loop, uint64_t give_up_after_ms,
                   void (*on_done)(struct store *store, const char *error), char *error,
                   size_t error_bytes)
{
    store->on_migrated = on_done;
    if (store->kind->migrate)
        return store->kind->migrate(store, loop, give_up_after_ms, error, error_bytes);
    on_done(store, NULL);
    return true;
}

void store_cancel_migration(struct store *store)
{
    if (store->kind->cancel_migration)
        store->kind->cancel_migration(store);
}

bool store_start(struct store *store, uv_loop_t *loop, const struct store_events *events,
                 void *user, char *error, size_t error_bytes)
{
    store->events = events;
    store->user = user;
    return store->kind->start(store, loop, error, error_bytes);
}

void store_close(struct store *store, void (*on_closed)(void *user))
{
    store->on_closed = on_closed;
    store->kind->close(store);
}

void store_reload(struct store *store)
{
    if (store->kind->reload)
        store->kind->reload(store);
}

void store_begin(struct store *store, struct batch *batch, bool expects_duplicates)
{
    store->outcome = (struct store_outcome){0};
    store->kind->begin(store, batch, expects_duplicates);
}

void store_give_up(struct store *store)
{
    store->kind->give_up(store);
}

void store_find_positions(struct store *store, const struct source_position *positions,
                          size_t count)
{
    assert(store->kind->find_positions); /* settings.h refuses a log whose positions nobody keeps */
    store->kind->find_positions(store, positions, count);
}

void store_refuse_row(struct store *store, struct batch *batch, struct batch_row *row,
                      const char *detail)
{
    struct buffer topic = {0};
    const struct reading_item item = {
        .error = READING_REFUSED_BY_DATABASE,
        .detail = detail,
        .bytes = (const char *)batch->payloads.data + row->payload_at,
        .length = row->payload_bytes,
        .received_at_us = row->received_at_us,
        /* sent again, its message is to give the readings that it gave */
        .first_received_at_us = row->first_received_at_us - row->element,
    };

    store->events->put_topic(store->user, batch, row, &topic);
    batch_reject(batch, buffer_text(&topic), store->config.devices->items[row->device].id, &item);
    buffer_release(&topic);
    row->is_refused = true;
    store->outcome.refused++;
}

void store_explain(const struct store *store, struct buffer *out)
{
    store->kind->explain(store, out);
}

void store_put_faults(const struct store *store, struct buffer *reasons)
{
    store->kind->put_faults(store, reasons);
}

void store_put_metrics(const struct store *store, const struct prometheus *to)
{
    store->kind->put_metrics(store, to);
}

bool store_has_schema(const struct store *store)
{
    return store->kind->migrate;
}

bool store_has_boards(const struct store *store)
{
    return store->kind->load;
}

bool store_load(struct store *store, const struct store_load *load, char *error, size_t error_bytes)
{
    if (store->kind->load)
        return store->kind->load(store, load, error, error_bytes);
    snprintf(error, error_bytes, "a store of this kind, %s, cannot be read",
             store->kind->schemes[0]);
    return false;
}

void store_cancel_load(struct store *store)
{
    if (store->kind->cancel_load)
        store->kind->cancel_load(store);
}

void store_save_sequences(struct store *store, struct sequences *sequences,
                          int64_t settled_until_us)
{
    if (store->kind->save_sequences)
        store->kind->save_sequences(store, sequences, settled_until_us);
}

void store_keep_hearing(struct store *store, struct hearing *hearing)
{
    if (store->kind->keep_hearing)
        store->kind->keep_hearing(store, hearing);
    else
        hearing->is_known = true;
}

int store_run_rejected(const struct settings *settings)
{
    const struct store_kind *kind = find_kind(settings_store_url(settings));

    if (kind->run_rejected)
        return kind->run_rejected(settings);
    fprintf(
        stderr,
        "collector: --rejected: a store of this kind, %s, keeps no list of them; they are where "
        "it is read\n",
        kind->schemes[0]);
    return 2;
}
