#include "collector/source.h"

#include "collector/settings.h"

#include <string.h>

#ifndef HIGHWATER_KAFKA
static const char *say_absent(const char *url)
{
    (void)url;
    return KAFKA_ABSENT;
}

static const char *const absent_schemes[] = {"kafka", NULL};
const struct source_kind source_kafka = {.schemes = absent_schemes, .url_flaw = say_absent};
#endif

static const struct source_kind *const kinds[] = {&source_mqtt, &source_kafka};

static bool is_for(const struct source_kind *kind, const char *url)
{
    size_t bytes = strcspn(url, ":");

    for (const char *const *scheme = kind->schemes; *scheme; scheme++) {
        if (strlen(*scheme) == bytes && memcmp(*scheme, url, bytes) == 0)
            return true;
    }
    return false;
}

static const struct source_kind *kind_of(const char *url)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (is_for(kinds[i], url))
            return kinds[i];
    }
    return NULL;
}

const char *source_url_flaw(const char *url)
{
    const struct source_kind *kind = kind_of(url);

    return kind && kind->url_flaw ? kind->url_flaw(url) : SOURCE_URL_LEGAL;
}

bool source_check(const struct settings *settings, char error[SOURCE_ERROR_SIZE])
{
    const struct source_kind *kind = kind_of(settings_source_url(settings));

    return !kind || !kind->check || kind->check(settings, error, SOURCE_ERROR_SIZE);
}

struct source *source_open(const struct source_config *config, char *error, size_t error_bytes)
{
    const struct source_kind *kind = kind_of(settings_source_url(config->settings));

    if (!kind)
        kind = &source_mqtt; /* says what is legal */
    return kind->open(config, error, error_bytes);
}
