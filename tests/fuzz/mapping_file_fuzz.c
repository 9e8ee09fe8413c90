/* Any bytes as a file of mappings: it is compiled, or refused with a sentence. What is compiled is bound, says
 * its subscriptions, and is tried with a message that fits many of them. */
#include "collector/decoders/mapping_try.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

#define NOW_US INT64_C(1795691046000000)

/* No file is read. */
static struct zone *load_zone(const char *name)
{
    return strcmp(name, "Europe/Berlin") == 0 ? zone_load("+01:00") : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static const char *const payload =
        "{\"a\":1,\"t\":[1,{\"a\":\"2\"}],\"s\":\"ON\",\"ts\":1795691045}";
    char error[MAPPING_ERROR_SIZE] = "";
    struct features features;
    static const struct features none;
    struct reading_rules rules = {.features = &features, .future_tolerance_us = 60000000};
    struct mappings mappings;
    struct buffer out = {0};

    if (!mapping_compile(&mappings, (const char *)data, bytes, load_zone, error)) {
        assert(strncmp(error, "line ", 5) == 0);
        return 0;
    }
    assert(mappings.count > 0);
    if (mappings_features(&mappings, &none, &features, error)) {
        mappings_bind(&mappings, &features);
        mapping_try_topics(&out, &mappings);
        mapping_try_message(&out, &mappings, &rules, NOW_US, "a/d", payload, strlen(payload));
        mapping_try_message(&out, &mappings, &rules, NOW_US, "a/d/b", "21.5", 4);
    }
    buffer_release(&out);
    mappings_release(&mappings);
    return 0;
}
