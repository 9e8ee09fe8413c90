/* Text as each kind of setting: what is accepted is within its documented bounds. */
#include "shared/base/duration.h"
#include "shared/base/mem.h"
#include "shared/base/timestamp.h"
#include "shared/model/features.h"
#include "shared/model/reading_json.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void check_lists(const char *text)
{
    struct features features;
    struct intervals intervals;
    char error[200];

    if (features_parse(&features, text, error, sizeof(error))) {
        assert(features.count >= 1 && features.count <= FEATURES_MAX);
        for (size_t i = 0; i < features.count; i++)
            assert(features_find(&features, features.names[i]) == i);
    } else {
        assert(strlen(error) > 0);
    }
    if (intervals_parse(&intervals, text, error, sizeof(error))) {
        assert(intervals.count >= 1 && intervals.count <= INTERVALS_MAX);
        for (size_t i = 0; i < intervals.count; i++)
            assert(intervals.items[i].length_us > 0);
    } else {
        assert(strlen(error) > 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    char *text = mem_strndup((const char *)data, bytes);
    char written[TIMESTAMP_TEXT_SIZE];
    struct reading_rules rules = {0};
    int64_t us;
    int64_t again;

    check_lists(text);
    if (reading_rules_set_earliest(&rules, text))
        assert(rules.most_age_us >= 0);
    if (duration_parse(&us, text))
        assert(us >= 0);
    if (timestamp_parse(&us, text)) {
        timestamp_format(written, us);
        assert(strlen(written) == TIMESTAMP_TEXT_SIZE - 1);
        /* offsets may lead out of the years that text can hold */
        if (us >= INT64_C(-62135596800000000) && us < INT64_C(253402300800000000))
            assert(timestamp_parse(&again, written) && again == us);
    }
    free(text);
    return 0;
}
