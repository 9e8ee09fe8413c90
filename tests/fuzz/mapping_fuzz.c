/* Any bytes as the payload of mapped topics: the first byte says which. A message is one outcome; what is
 * accepted is a reading of a legal device, the same when the message comes again, and at most the last item
 * is a rejected one. */
#include "collector/decoders/mapping_file.h"
#include "shared/base/mem.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

#define NOW_US INT64_C(1795691046000000)

static const char *const file =
    "[{\"topic\":\"a/{device}\",\"time\":{\"at\":\"/ts\",\"zone\":\"+01:00\"},\"seq\":\"/"
    "n\",\"status\":\"/s\","
    "\"features\":{\"t\":[\"/a/0\",\"/t\"],\"u\":{\"at\":\"/a/b/c\",\"scale\":0.1,\"bad\":[5]}}},"
    "{\"topic\":\"b/"
    "{device}\",\"payload\":\"text\",\"status\":{\"at\":\"\",\"map\":{\"1\":\"ON\"}},\"features\":{"
    "\"t\":\"\"}},"
    "{\"topic\":\"c/{device}\",\"payload\":\"senml\",\"each\":\"/*\",\"time\":\"/"
    "t\",\"feature\":{\"name\":\"{/label}\",\"value\":\"/v\"}},"
    "{\"topic\":\"d/{x}\",\"each\":\"/*/"
    "*\",\"match\":{\"{key}\":\"{y*}.{device}\"},\"device\":\"{y}/{device}\","
    "\"time\":{\"at\":\"^/ts\",\"format\":\"%d/%m/%Y "
    "%H:%M:%S\",\"step\":{\"at\":\"^/dt\"}},\"features\":{\"t\":\"\",\"u\":\"^/u/{index}\"}},"
    "{\"topic\":\"e/{x}\",\"unpack\":[\"/p\",\"/*/p\"],\"device\":\"{/p/"
    "id}\",\"features\":{\"t\":\"/p/t\"},\"when\":{\"/k\":[\"1\",\"\"]}},"
    "{\"topic\":\"f/{device}\",\"each\":\"/"
    "*\",\"rules\":[{\"feature\":{\"name\":\"{key}\",\"value\":\"\"}},{\"status\":\"/s\"}]},"
    "{\"topic\":\"g/{device}\",\"each\":\"/*\",\"rules\":[{\"device\":\"{/"
    "i}\",\"about\":{\"label\":["
    "\"/l\",\"{/m} {key}\"],\"location\":{\"latitude\":\"/y\",\"longitude\":\"/x\"}}},{\"about\":{"
    "\"group\":\"/g\"}}]}]";

static struct features features;
static const struct features none;
static struct mappings mappings;
static struct mapping_run run;
static const struct reading_rules rules = {.features = &features,
                                           .earliest_us = INT64_C(946684800000000),
                                           .future_tolerance_us = 60000000};

struct sum {
    size_t items;
    size_t faults;
    uint64_t hash;
};

static void on_item(void *user, const char *id, const struct reading_item *item)
{
    struct sum *sum = user;

    assert(sum->faults == 0);
    assert((item->error == READING_OK) == (item->reading != NULL) && (id || !item->reading));
    assert(strlen(item->detail) < READING_DETAIL_SIZE &&
           (item->detail[0] != '\0') == !item->reading);
    assert(item->received_at_us == NOW_US + (int64_t)sum->items);
    sum->items++;
    if (item->error) {
        sum->faults++;
        return;
    }
    assert(device_id_is_legal(id, strlen(id)));
    assert(item->seq >= -1 && item->reading->status < STATUS_COUNT);
    assert(!item->has_timestamp ||
           item->reading->recorded_at_us <= NOW_US + rules.future_tolerance_us);
    assert(item->reading->recorded_at_us >= rules.earliest_us);
    sum->hash = mapping_hash_mix(sum->hash, (uint64_t)item->reading->content_hash);
    sum->hash = mapping_hash_mix(sum->hash, (uint64_t)item->reading->recorded_at_us);
    for (size_t i = 0; i < features.count; i++)
        assert(isnan(item->reading->values[i]) || isfinite(item->reading->values[i]));
}

static struct sum sum_of(const char *topic, const char *payload, size_t bytes, size_t most)
{
    static const struct reading_source source = {.received_at_us = NOW_US,
                                                 .first_received_at_us = NOW_US};
    struct sum sum = {0};

    if (mapping_begin(&run, &source, topic, payload, bytes) != DECODER_READ)
        return sum;
    while (mapping_take(&run, payload, bytes, most, on_item, &sum))
        ;
    for (size_t i = 0; i < run.abouts.count; i++)
        assert(device_id_is_legal(run.abouts.items[i].device, strlen(run.abouts.items[i].device)));
    assert(sum.items > 0 || run.abouts.count > 0);
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    char topic[] = "a/d";
    char error[MAPPING_ERROR_SIZE];
    struct sum once;
    struct sum again;
    char *text;

    if (mappings.count == 0) {
        assert(mapping_compile(&mappings, file, strlen(file), zone_load, error));
        assert(mappings_features(&mappings, &none, &features, error));
        mappings_bind(&mappings, &features);
        mapping_run_init(&run, &mappings, &rules);
    }
    if (bytes == 0)
        return 0;
    topic[0] = (char)('a' + (data[0] + 2) % 7); /* that of ` is a: the seeds begin so */
    text = mem_alloc(bytes - 1); /* of exactly this size, so that a read behind its end is seen */
    memcpy(text, data + 1, bytes - 1);
    once = sum_of(topic, text, bytes - 1, SIZE_MAX);
    again = sum_of(topic, text, bytes - 1, 1 + bytes % 3);
    assert(once.items == again.items && once.faults == again.faults && once.hash == again.hash);
    free(text);
    return 0;
}
