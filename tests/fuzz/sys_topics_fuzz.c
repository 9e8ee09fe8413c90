/* Any bytes as a count or a version, with nothing behind them. */
#include "collector/sinks/sys_topics.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    char *text = malloc(bytes ? bytes : 1);
    struct sys_version version;
    uint64_t count;

    memcpy(text, data, bytes);
    if (sys_parse_count(&count, text, bytes))
        assert(bytes > 0 && bytes < 20);
    if (sys_parse_version(&version, text, bytes))
        assert(version.major < 1000000 && version.minor < 1000000 && version.patch < 1000000);
    free(text);
    return 0;
}
