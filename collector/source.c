#include "collector/source.h"

#include "collector/settings.h"

#include <string.h>

/* The first says what is legal when the URL is of none. */
static const struct source_kind *const kinds[] = {&source_mqtt};

static bool is_for(const struct source_kind *kind, const char *url)
{
    size_t bytes = strcspn(url, ":");

    for (const char *const *scheme = kind->schemes; *scheme; scheme++) {
        if (strlen(*scheme) == bytes && memcmp(*scheme, url, bytes) == 0)
            return true;
    }
    return false;
}

struct source *source_open(const struct source_config *config, char *error, size_t error_bytes)
{
    const struct source_kind *kind = kinds[0];

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (is_for(kinds[i], config->settings->mqtt_url))
            kind = kinds[i];
    }
    return kind->open(config, error, error_bytes);
}
