/* A filter and a topic, separated by a line break: a device id that comes out is legal, and put back
 * into the filter it gives the topic. */
#include "shared/base/mem.h"
#include "shared/model/topic.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void check(const char *filter_text, const char *topic)
{
    struct topic_filter filter;
    char id[DEVICE_ID_SIZE];
    char *rebuilt;
    size_t size;

    if (!topic_filter_parse(&filter, filter_text) || !topic_device_id(id, &filter, topic))
        return;
    assert(device_id_is_legal(id, strlen(id)));
    size = strlen(topic) + 1;
    rebuilt = mem_alloc(size);
    snprintf(rebuilt, size, "%.*s%s%s", (int)filter.prefix_bytes, filter.prefix, id, filter.suffix);
    assert(strcmp(rebuilt, topic) == 0);
    free(rebuilt);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    char *text = mem_strndup((const char *)data, bytes);
    char *line_break = strchr(text, '\n');

    check("devices/+/readings", text);
    if (line_break) {
        *line_break = '\0';
        check(text, line_break + 1);
    }
    free(text);
    return 0;
}
