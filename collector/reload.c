#include "collector/reload.h"

#include "shared/base/log.h"
#include "shared/base/timestamp.h"

#include <string.h>

enum { LOAD_RESTS = 4 }; /* times as long as a load took, before the next one for others */

static void add_to_windows(void *user, uint32_t device)
{
    struct reload *reload = user;

    /* both number the devices from 0 in the order of their arrival */
    windows_add_device(reload->config.windows, reload->config.devices->items[device].id);
}

static void on_snapshot(void *user, int64_t before_us)
{
    struct reload *reload = user;

    board_publisher_set_loading(reload->config.publisher, before_us);
}

static int64_t as_of_us(void *user)
{
    const struct reload *reload = user;

    return board_publisher_as_of_us(reload->config.publisher);
}

static void on_loaded(void *user, bool complete);

/* A load that is under way does not know of what is due now; that follows. */
static void load_due(struct reload *reload)
{
    const struct reload_config *c = &reload->config;
    struct store_load load = {.longest_us = c->longest_us,
                              .windows = c->windows,
                              .sequences = c->sequences,
                              .coverage = c->coverage,
                              .thresholds = c->thresholds,
                              .user = reload,
                              .as_of_us = as_of_us,
                              .on_device = add_to_windows,
                              .on_snapshot = on_snapshot,
                              .on_done = on_loaded};
    char error[256];

    reload->loads_again = reload->is_loading;
    if (reload->loads_again || reload->is_stopping)
        return;
    reload->is_loading_all = reload->loads_all;
    reload->loads_all = false; /* until they become due again */
    reload->changed_loading = reload->changed.bytes;
    if (!reload->is_loading_all) {
        load.only = (const uint32_t *)(const void *)reload->changed.data;
        load.only_count = reload->changed.bytes / sizeof(uint32_t);
    }
    reload->began_us = timestamp_now();
    reload->is_loading = store_load(c->store, &load, error, sizeof(error));
    if (!reload->is_loading) {
        reload->loads_all = reload->is_loading_all;
        log_error("windows: %s", error);
    }
}

/* What was loaded is due no longer; what was noted meanwhile still is. */
static void forget_loaded(struct reload *reload)
{
    size_t left = reload->changed.bytes - reload->changed_loading;

    if (reload->is_loading_all) {
        int64_t now_us = timestamp_now();

        reload->rests_until_us = now_us + LOAD_RESTS * (now_us - reload->began_us);
    }
    if (left > 0)
        memmove(reload->changed.data, reload->changed.data + reload->changed_loading, left);
    reload->changed.bytes = left;
}

static void on_loaded(void *user, bool complete)
{
    struct reload *reload = user;

    reload->is_loading = false;
    if (reload->is_stopping)
        return;
    if (complete)
        forget_loaded(reload);
    else
        reload->loads_all = reload->loads_all || reload->is_loading_all;
    if (reload->loads_again) {
        load_due(reload);
        return;
    }
    if (!complete)
        return;
    reload->is_complete = true;
    board_publisher_set_complete(reload->config.publisher, true);
}

static void hide_boards(struct reload *reload)
{
    reload->is_complete = false;
    board_publisher_set_complete(reload->config.publisher, false);
}

void reload_all(struct reload *reload)
{
    reload->loads_all = true;
    load_due(reload);
}

void reload_from_scratch(struct reload *reload)
{
    hide_boards(reload);
    reload_all(reload);
}

/* What a load that is under way has read may be from before that. */
void reload_behind(struct reload *reload)
{
    sequences_clear(reload->config.sequences);
    reload_from_scratch(reload);
    if (reload->loads_again)
        store_cancel_load(reload->config.store);
}

/* While we are on standby the active collector stores readings that we never see, so the windows are
 * loaded again afterwards. */
void reload_set_active(struct reload *reload, bool is_active)
{
    reload->is_active = is_active;
    if (is_active) {
        reload_from_scratch(reload);
        return;
    }
    reload->loads_again = false;
    store_cancel_load(reload->config.store);
}

void reload_device(struct reload *reload, uint32_t device)
{
    buffer_put(&reload->changed, &device, sizeof(device));
    load_due(reload);
}

void reload_cleared_device(struct reload *reload, uint32_t device)
{
    hide_boards(reload);
    reload_device(reload, device);
    /* a load that is under way may have read what was taken out */
    if (reload->loads_again)
        store_cancel_load(reload->config.store);
}

/* What a collector that is gone has stored is on no board, unless it is in our windows, too. */
static void load_for_others(struct reload *reload)
{
    if (!reload->lacks_readings || !reload->is_complete || !reload->is_active ||
        reload->is_stopping || reload->is_loading || timestamp_now() < reload->rests_until_us)
        return;
    log_info("windows: another collector is gone; loading what it has stored");
    reload_all(reload);
}

void reload_note_collector(struct reload *reload, const char *id, bool is_live, int64_t batches)
{
    if (!id) {
        board_publisher_set_company(reload->config.publisher, reload->sees_company);
        load_for_others(reload);
        reload->sees_company = reload->lacks_readings = false;
    } else if (strcmp(id, reload->config.collector_id) != 0) {
        reload->sees_company = reload->sees_company || is_live;
        if (!is_live && coverage_lacks(reload->config.coverage, id, batches))
            reload->lacks_readings = true;
    }
}

void reload_init(struct reload *reload, const struct reload_config *config)
{
    *reload = (struct reload){.config = *config};
}

void reload_stop(struct reload *reload)
{
    reload->is_stopping = true;
    store_cancel_load(reload->config.store);
}

void reload_release(struct reload *reload)
{
    buffer_release(&reload->changed);
}
