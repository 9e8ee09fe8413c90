/* watcher.h: subscribes to the boards, to measure when readings show there.
 *
 * Shape    one connection that subscribes to the boards of every collector.
 * Errors   a message that is no board is ignored.
 * Owner    embedded; watcher_close() says when its memory may go.
 */
#ifndef HIGHWATER_WATCHER_H
#define HIGHWATER_WATCHER_H

#include "devicesim/latency_probe.h"
#include "devicesim/report.h"
#include "shared/model/features.h"
#include "shared/net/mqtt_link.h"

#include <stdbool.h>

struct watcher {
    struct mqtt_link link;
    struct latency_probe probe;
    const struct features *features;
    struct report *report;
    bool is_subscribed;
    void (*on_closed)(struct watcher *watcher);
};

bool watcher_start(struct watcher *watcher, uv_loop_t *loop, const struct mqtt_link_config *mqtt,
                   const struct features *features, struct report *report, char *error,
                   size_t error_bytes);

void watcher_close(struct watcher *watcher, void (*on_closed)(struct watcher *));

#endif
