#include "collector/sinks/mqtt_sink.h"

#include "shared/net/prometheus.h"

#include <inttypes.h>

void mqtt_sink_put_away(const struct sink *sink, struct buffer *out)
{
    const struct mqtt_sink *m = (const void *)sink;

    if (m->link.state != MQTT_LINK_UP)
        buffer_printf(out, "the broker is away for boards: %s\n", m->link.failure);
}

void mqtt_sink_put_faults(const struct sink *sink, struct buffer *out)
{
    const struct mqtt_sink *m = (const void *)sink;

    mqtt_link_write_faults(&m->link, out);
    mqtt_sink_put_denied(m, out);
    if (*m->rival_reason)
        buffer_printf(out, "%s\n", m->rival_reason);
    if (m->rival.state == RIVAL_DOUBTING)
        buffer_printf(out,
                      "looking whether installation %s still publishes under our COLLECTOR_ID\n",
                      m->rival.theirs);
}

void mqtt_sink_put_metrics(const struct sink *sink, struct buffer *out)
{
    const struct mqtt_sink *m = (const void *)sink;
    const struct prometheus_sample samples[] = {
        {"highwater_broker_dropped_messages", "gauge",
         "Messages the broker has dropped since its start, as it says.", (double)m->broker.dropped},
        {"highwater_collector_id_conflict", "gauge",
         "1 while another installation publishes under our COLLECTOR_ID.",
         *m->rival_reason != '\0'},
        {"highwater_boards_refused_total", "counter",
         "Boards and statuses that the broker did not take because of their size.",
         (double)m->messages_refused},
    };

    PROMETHEUS_WRITE(out, samples);
}

void mqtt_sink_put_status(const struct sink *sink, struct buffer *out)
{
    const struct mqtt_sink *m = (const void *)sink;

    if (m->broker.knows_dropped)
        buffer_printf(out, ",\"brokerDropped\":%" PRIu64, m->broker.dropped);
}
