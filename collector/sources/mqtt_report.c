#include "collector/sources/mqtt_source.h"

#include "shared/base/duration.h"
#include "shared/base/log.h"
#include "shared/net/prometheus.h"

static int64_t now_us(void)
{
    return (int64_t)(uv_hrtime() / 1000);
}

/* A connection that is up, and a subscription that is granted, do not mean that we may read. */
void mqtt_report_watch_silence(struct mqtt_source *m)
{
    const struct settings *s = m->source.config.settings;
    char length[DURATION_TEXT_SIZE];

    switch (silence_look(&m->silence, m->link.state == MQTT_LINK_UP, m->messages,
                         s->silent_after_us, now_us())) {
    case SILENCE_BEGAN:
        log_warning("mqtt: no message on %s for %s: no device publishes there, or the broker's "
                    "access control forbids us to read what it lets us subscribe to",
                    s->subscriptions.text, duration_format(length, s->silent_after_us));
        break;
    case SILENCE_ENDED:
        log_info("mqtt: messages come again");
        break;
    case SILENCE_NO_NEWS:
        break;
    }
}

void mqtt_report_put_faults(const struct source *source, struct buffer *out)
{
    const struct mqtt_source *m = (const void *)source;

    if (!*m->client_id)
        buffer_put_text(out,
                        "the broker is not joined yet: our client id comes from the database\n");
    else if (m->link.state != MQTT_LINK_UP)
        buffer_printf(out, "the broker is away: %s\n", m->link.failure);
    mqtt_link_write_faults(&m->link, out);
}

void mqtt_report_put_metrics(const struct source *source, const struct prometheus *to)
{
    const struct mqtt_source *m = (const void *)source;
    const struct prometheus_sample samples[] = {
        {"highwater_held_acks", "gauge", "Acknowledgements behind the gate.",
         (double)m->link.held_acks},
        {"highwater_broker_window", "gauge",
         "Messages the broker sends before it waits for acknowledgements; 0 = more than was asked "
         "of it.",
         (double)m->allowance.window},
        {"highwater_mqtt_connects_total", "counter", "Times the broker was joined.",
         (double)m->link.connects},
        {"highwater_mqtt_up", "gauge", "1 while the broker is connected.",
         m->link.state == MQTT_LINK_UP},
        {"highwater_last_message_age_seconds", "gauge",
         "Since the last message came, or the broker was joined; SILENT_AFTER says it in the log.",
         (double)silence_age_us(&m->silence, now_us()) / 1e6},
        {"highwater_sessions_lost_total", "counter",
         "Times the broker had lost our session, and perhaps what waited in it.",
         (double)m->sessions_lost},
    };

    PROMETHEUS_WRITE(to, samples);
}
