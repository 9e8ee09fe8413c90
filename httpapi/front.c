#include "httpapi/front.h"

#include "httpapi/events.h"
#include "httpapi/pool.h"
#include "shared/base/timestamp.h"
#include "shared/net/http_server.h"
#include "shared/net/mqtt_link.h"
#include "shared/net/prometheus.h"

#include <inttypes.h>

void front_write(struct buffer *out, const struct api *api)
{
    char started[TIMESTAMP_TEXT_SIZE];

    timestamp_format(started, api->started_us);
    buffer_printf(out,
                  "{\"startedAt\":\"%s\",\"isBrokerUp\":%s,\"databaseConnections\":%zu,"
                  "\"databaseBusy\":%zu,\"databaseWaiting\":%zu,\"databaseFailed\":%" PRIu64
                  ",\"connections\":%zu,\"streams\":%zu,\"requests\":%" PRIu64
                  ",\"memoryBytes\":%.0f}",
                  started, api->broker->state == MQTT_LINK_UP ? "true" : "false",
                  (size_t)pool_up_count(api->pool), (size_t)pool_busy_count(api->pool),
                  (size_t)pool_waiting_count(api->pool),
                  (uint64_t)(pool_failed_count(api->pool) + pool_refused_count(api->pool)),
                  (size_t)server_connection_count(api->server), events_stream_count(api->events),
                  metrics_answer_count(&api->metrics), prometheus_resident_bytes());
}
