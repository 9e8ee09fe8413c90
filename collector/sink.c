#include "collector/sink.h"

#ifndef HIGHWATER_REDIS
#include "collector/settings.h"

#include <stdio.h>
#endif

#ifndef HIGHWATER_REDIS
static const char *redis_url(const struct settings *settings)
{
    return settings->redis_url;
}

static struct sink *refuse_redis(const struct sink_config *config, char *error, size_t error_bytes)
{
    (void)config;
    snprintf(error, error_bytes, "none: this collector was built without Redis (make REDIS=no)");
    return NULL;
}

const struct sink_kind sink_redis = {
    .setting = "redis-url", .url = redis_url, .open = refuse_redis};
#endif

static const struct sink_kind *const kinds[] = {&sink_mqtt, &sink_redis};

const struct sink_kind *sinks_open(struct sinks *sinks, const struct sink_config *config,
                                   char *error, size_t error_bytes)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (!*kinds[i]->url(config->settings))
            continue;
        sinks->items[sinks->count] = kinds[i]->open(config, error, error_bytes);
        if (!sinks->items[sinks->count])
            return kinds[i];
        sinks->count++;
    }
    return NULL;
}

void sinks_free(struct sinks *sinks)
{
    while (sinks->count > 0) {
        struct sink *sink = sinks->items[--sinks->count];

        sink->kind->free(sink);
    }
}
