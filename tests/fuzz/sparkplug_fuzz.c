/* A run of messages: each a byte that says on which topic, two for its length, and its payload. What comes out as
 * JSON must be JSON, and what was saved must make the same state again. */
#include "collector/decoders/sparkplug.h"
#include "shared/model/json_scan.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static const char *const topics[] = {
    "spBv1.0/G/NBIRTH/E",     "spBv1.0/G/NDATA/E",     "spBv1.0/G/NDEATH/E", "spBv1.0/G/DBIRTH/E/D",
    "spBv1.0/G/DDATA/E/D",    "spBv1.0/G/DDEATH/E/D",  "spBv1.0/G/NCMD/E",   "spBv1.0/H/DBIRTH/E/D",
    "spBv1.0/G/DBIRTH/E/D/x", "spBv1.0/G/DBIRTH/E/D2",
};

static void save(struct sparkplug *state, struct sparkplug *copy)
{
    struct sparkplug_changes changes = {0};

    sparkplug_take_changes(state, &changes);
    assert(!sparkplug_has_changes(state));
    for (size_t i = 0; i < changes.node_count; i++)
        assert(sparkplug_load_node(copy, &changes.nodes[i]));
    for (size_t i = 0; i < changes.birth_count; i++)
        assert(!changes.births[i].payload || sparkplug_load_birth(copy, &changes.births[i]));
    sparkplug_changes_release(&changes);
}

static void take(struct sparkplug *state, const uint8_t *payload, size_t bytes, uint8_t topic,
                 int64_t now_us)
{
    const struct sparkplug_message message = {
        .topic = topics[topic % (sizeof(topics) / sizeof(topics[0]))],
        .payload = payload,
        .bytes = bytes,
        .epoch = topic & 0x80 ? 2 : 1,
        .now_us = now_us};
    struct sparkplug_result result;
    struct buffer json = {0};
    struct json_value value;
    size_t at;

    if (sparkplug_take(state, &message, &json, &result) == SPARKPLUG_READ)
        assert(json_scan_document((const char *)json.data, json.bytes, &at, &value) == JSON_OK);
    buffer_release(&json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct sparkplug state = {0};
    struct sparkplug copy = {0};
    int64_t now_us = 1;

    while (bytes >= 3) {
        size_t length = (size_t)data[1] << 8 | data[2];

        if (length > bytes - 3)
            length = bytes - 3;
        take(&state, data + 3, length, data[0], now_us++);
        data += 3 + length;
        bytes -= 3 + length;
    }
    save(&state, &copy);
    while (sparkplug_next_request(&state))
        ;
    sparkplug_release(&state);
    sparkplug_release(&copy);
    return 0;
}
