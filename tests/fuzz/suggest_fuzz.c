/* Any bytes as what is heard at a broker: topics and payloads, a line each, in turn. What is suggested compiles,
 * and says so when there is nothing to suggest; what a mapping of it rejects is no fault, only a wrong guess. */
#include "collector/decoders/mapping_file.h"
#include "collector/suggest/suggest.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

#define NOW_US INT64_C(1795691046000000)

/* As from the library: no NUL, no wildcards, no more than 64 kB, UTF-8 or not. */
static void hear(struct heard_messages *heard, const char *line, size_t topic_bytes,
                 const char *payload, size_t payload_bytes)
{
    char *topic = strndup(line, topic_bytes);

    if (*topic && !strpbrk(topic, "+#"))
        heard_add(heard, topic, payload, payload_bytes, NOW_US, payload_bytes % 2 == 1);
    free(topic);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    const char *at = (const char *)data;
    const char *end = at + bytes;
    char error[MAPPING_ERROR_SIZE] = "";
    struct features more = {0};
    struct features features;
    struct heard_messages heard = {0};
    struct buffer out = {0};
    struct mappings mappings;

    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        const char *payload = stop ? stop + 1 : end;
        const char *last = payload < end ? memchr(payload, '\n', (size_t)(end - payload)) : end;

        last = last ? last : end;
        hear(&heard, at, (size_t)((stop ? stop : end) - at), payload, (size_t)(last - payload));
        at = last + 1;
    }
    if (suggest_write(&out, &heard)) {
        bool is_good =
            mapping_compile(&mappings, (const char *)out.data, out.bytes, zone_load, error);

        assert(is_good);
        assert(mappings_features(&mappings, &more, &features, error));
        mappings_release(&mappings);
    }
    buffer_release(&out);
    heard_release(&heard);
    return 0;
}
