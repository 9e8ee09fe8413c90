#include "collector/sink.h"

static const struct sink_kind *const kinds[] = {&sink_mqtt};

bool sinks_open(struct sinks *sinks, const struct sink_config *config, char *error,
                size_t error_bytes)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (kinds[i]->is_wanted && !kinds[i]->is_wanted(config->settings))
            continue;
        sinks->items[sinks->count] = kinds[i]->open(config, error, error_bytes);
        if (!sinks->items[sinks->count])
            return false;
        sinks->count++;
    }
    return true;
}

void sinks_free(struct sinks *sinks)
{
    while (sinks->count > 0) {
        struct sink *sink = sinks->items[--sinks->count];

        sink->kind->free(sink);
    }
}
