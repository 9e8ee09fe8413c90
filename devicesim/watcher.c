#include "devicesim/watcher.h"

#include "shared/model/board.h"

#define BOARDS_FILTER "collectors/+/boards/#"

static void on_up(struct mqtt_link *link, bool session_present)
{
    (void)session_present;
    mqtt_link_subscribe(link, BOARDS_FILTER, 0);
}

static void on_subscribed(struct mqtt_link *link, const char *filter, bool granted)
{
    struct watcher *watcher = link->config.user;

    (void)filter;
    watcher->is_subscribed = granted;
}

static void on_message(struct mqtt_link *link, const struct mqtt_delivery *delivery)
{
    struct watcher *watcher = link->config.user;
    uint64_t now_us = uv_hrtime() / 1000;
    struct board board;

    if (!board_parse(&board, watcher->features, delivery->payload, delivery->bytes))
        return;
    for (size_t i = 0; i < board.count; i++) {
        const struct board_entry *entry = &board.entries[i];
        uint64_t took_us;

        if (latency_probe_seen(&watcher->probe, entry->device_id, entry->reading->recorded_at_us,
                               now_us, &took_us))
            histogram_add(&watcher->report->visible_us, took_us);
    }
    board_release(&board);
}

bool watcher_start(struct watcher *watcher, uv_loop_t *loop, const struct mqtt_link_config *mqtt,
                   const struct features *features, struct report *report, char *error,
                   size_t error_bytes)
{
    struct mqtt_link_config config = *mqtt;

    *watcher = (struct watcher){.features = features, .report = report};
    config.name = "boards";
    config.user = watcher;
    config.on_up = on_up;
    config.on_subscribed = on_subscribed;
    config.on_message = on_message;
    return mqtt_link_start(&watcher->link, loop, &config, error, error_bytes);
}

static void on_link_closed(struct mqtt_link *link)
{
    struct watcher *watcher = link->config.user;

    latency_probe_release(&watcher->probe);
    watcher->on_closed(watcher);
}

void watcher_close(struct watcher *watcher, void (*on_closed)(struct watcher *))
{
    watcher->on_closed = on_closed;
    mqtt_link_close(&watcher->link, on_link_closed);
}
