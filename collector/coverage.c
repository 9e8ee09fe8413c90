#include "collector/coverage.h"

#include "shared/base/json_write.h"
#include "shared/base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void coverage_release(struct coverage *coverage)
{
    free(coverage->loading.items);
    free(coverage->loaded.items);
    free(coverage->shown.items);
    *coverage = (struct coverage){0};
}

void coverage_begin(struct coverage *coverage)
{
    coverage->loading.count = 0;
}

static void add(struct coverage_counts *counts, const char *id, int64_t batches)
{
    struct coverage_count *item;

    if (counts->count == counts->capacity) {
        counts->capacity = mem_grown(counts->capacity, counts->count + 1);
        counts->items = mem_realloc(counts->items, counts->capacity * sizeof(counts->items[0]));
    }
    item = &counts->items[counts->count++];
    snprintf(item->id, sizeof(item->id), "%s", id);
    item->batches = batches;
}

void coverage_found(struct coverage *coverage, const char *id, int64_t batches)
{
    add(&coverage->loading, id, batches);
}

void coverage_complete(struct coverage *coverage)
{
    struct coverage_counts before = coverage->loaded;

    coverage->loaded = coverage->loading;
    coverage->loading = before;
    coverage->loading.count = 0;
    coverage->loads++;
}

void coverage_show(struct coverage *coverage)
{
    coverage->shown.count = 0;
    for (size_t i = 0; i < coverage->loaded.count; i++)
        add(&coverage->shown, coverage->loaded.items[i].id, coverage->loaded.items[i].batches);
}

bool coverage_lacks(const struct coverage *coverage, const char *id, int64_t batches)
{
    for (size_t i = 0; i < coverage->loaded.count; i++) {
        if (strcmp(coverage->loaded.items[i].id, id) == 0)
            return coverage->loaded.items[i].batches < batches;
    }
    return batches > 0;
}

void coverage_write(const struct coverage *coverage, const char *own_id, struct buffer *out)
{
    const char *before = "";

    buffer_put_text(out, "{");
    for (size_t i = 0; i < coverage->shown.count; i++) {
        const struct coverage_count *item = &coverage->shown.items[i];

        if (strcmp(item->id, own_id) == 0)
            continue;
        buffer_put_text(out, before);
        json_write_string(out, item->id);
        buffer_printf(out, ":%" PRId64, item->batches);
        before = ",";
    }
    buffer_put_text(out, "}");
}
