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

static void put_count(const struct prometheus *to, const char *name, const char *type,
                      const char *help, const struct broker_count *count)
{
    if (count->is_known)
        prometheus_number(to, name, type, help, (double)count->value);
}

/* The two counts come one after the other. */
static struct broker_count queued(const struct broker_report *broker)
{
    uint64_t stored = broker->stored.value;
    uint64_t retained = broker->retained.value;

    return (struct broker_count){stored > retained ? stored - retained : 0,
                                 broker->stored.is_known && broker->retained.is_known};
}

/* Who is away says nothing; what it has dropped stays dropped. */
static void put_broker(const struct prometheus *to, const struct mqtt_sink *m)
{
    const struct broker_report *broker = &m->broker;
    const struct broker_count waiting = queued(broker);

    put_count(to, "highwater_broker_dropped_messages_total", "counter",
              "Messages the broker has dropped since its start, as it says.", &broker->dropped);
    if (m->link.state != MQTT_LINK_UP)
        return;
    put_count(to, "highwater_broker_queued_messages", "gauge",
              "Messages the broker keeps until clients have taken them, as it says (Mosquitto).",
              &waiting);
    put_count(to, "highwater_broker_retained_messages", "gauge", "Retained messages that it keeps.",
              &broker->retained);
    put_count(to, "highwater_broker_stored_bytes", "gauge",
              "Payloads of both, each once, however many clients it waits for.",
              &broker->stored_bytes);
}

void mqtt_sink_put_metrics(const struct sink *sink, const struct prometheus *to)
{
    const struct mqtt_sink *m = (const void *)sink;
    const struct prometheus_sample samples[] = {
        {"highwater_collector_id_conflict", "gauge",
         "1 while another installation publishes under our COLLECTOR_ID.",
         *m->rival_reason != '\0'},
        {"highwater_boards_refused_total", "counter",
         "Boards and statuses that the broker did not take because of their size.",
         (double)m->messages_refused},
    };

    put_broker(to, m);
    PROMETHEUS_WRITE(to, samples);
}

void mqtt_sink_put_status(const struct sink *sink, struct buffer *out)
{
    const struct mqtt_sink *m = (const void *)sink;

    if (m->broker.dropped.is_known)
        buffer_printf(out, ",\"brokerDropped\":%" PRIu64, m->broker.dropped.value);
}
