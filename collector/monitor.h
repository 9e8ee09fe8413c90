/* monitor.h: /metrics, /healthz and /readyz of the collector, on a port of its own.
 *
 * Errors   a port that cannot be had costs the monitoring, not the collecting: it is logged.
 * Owner    the handle is freed after monitor_stop().
 */
#ifndef HIGHWATER_MONITOR_H
#define HIGHWATER_MONITOR_H

#include "collector/metrics.h"

#include <uv.h>

struct monitor;

/* `get_view` fills the view when somebody asks. NULL when nothing is listened on. */
struct monitor *monitor_start(uv_loop_t *loop, const char *listen, const char *hosts, void *user,
                              void (*get_view)(void *user, struct metrics_view *view));

void monitor_stop(struct monitor *monitor); /* NULL is accepted */

#endif
