#include "collector/check/check.h"

#include "collector/store.h"
#include "shared/base/buffer.h"
#include "shared/net/check_broker.h"
#include "shared/net/check_database.h"
#include "shared/net/check_listen.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void check_settings(struct check *check, const struct settings *s)
{
    struct buffer names = {0};

    for (size_t i = 0; i < s->features.count; i++)
        buffer_printf(&names, "%s%s", i > 0 ? "," : "", s->features.names[i]);
    check_say(check, CHECK_OK, "settings", "collector %s, features %s", s->collector_id,
              buffer_text(&names));
    if (*s->mappings_file)
        check_say(check, CHECK_OK, "mappings", "%s: %zu", s->mappings_file, s->mappings.count);
    buffer_release(&names);
}

/* Its own topic is one that nobody else reads as a board or a status. */
static void check_mqtt(struct check *check, const struct settings *s)
{
    char topic[128];
    struct check_broker broker = {.mqtt = settings_mqtt(s),
                                  .topic = topic,
                                  .needs = MQTT_NEEDS_RETAINED,
                                  .timeout_ms = check_timeout_ms(s)};

    snprintf(topic, sizeof(topic), "collectors/%s/check", s->collector_id);
    if (!*s->source) {
        broker.filters = (const char *const *)s->subscriptions.texts;
        broker.filter_count = s->subscriptions.count;
        broker.needs |= MQTT_NEEDS_QOS1;
    }
    check_broker_run(check, &broker);
}

static void check_database(struct check *check, const struct settings *s)
{
    check_database_run(check, &(struct check_database){.url = s->database_url,
                                                       .application_name = "highwater check",
                                                       .writes = true,
                                                       .timeout_ms = check_timeout_ms(s)});
}

int collector_check_run(const struct settings *s)
{
    struct check check = {0};
    bool is_log = strncmp(s->store, "kafka://", 8) == 0;

    check_settings(&check, s);
    check_listen_run(&check, &(struct check_listen){.setting = "METRICS_LISTEN",
                                                    .listen = s->metrics_listen,
                                                    .hosts_setting = "METRICS_HOSTS",
                                                    .hosts = s->metrics_hosts});
    if (!is_log)
        check_database(&check, s);
#ifdef HIGHWATER_KAFKA
    if (is_log)
        kafka_check_run(&check, s, "store", s->store);
    if (*s->source)
        kafka_check_run(&check, s, "source", s->source);
#endif
    check_mqtt(&check, s);
#ifdef HIGHWATER_REDIS
    if (*s->redis_url)
        redis_check_run(&check, s);
#endif
    return check_end(&check);
}
