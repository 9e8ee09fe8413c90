#include "collector/stores/postgres/applied.h"

#include "shared/base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

void applied_init(struct applied *applied, const struct schema_file *files, size_t count)
{
    *applied = (struct applied){
        .files = files, .count = count, .is_applied = mem_calloc(count + 1, sizeof(bool))};
}

void applied_release(struct applied *applied)
{
    free(applied->is_applied);
    *applied = (struct applied){0};
}

void applied_clear(struct applied *applied)
{
    memset(applied->is_applied, 0, applied->count * sizeof(bool));
}

int64_t applied_hash(const struct schema_file *file)
{
    return (int64_t)XXH3_64bits(file->sql, file->bytes);
}

bool applied_check(struct applied *applied, const char *name, const char *hash, char *error,
                   size_t error_bytes)
{
    size_t i = 0;
    char ours[24];

    while (i < applied->count && strcmp(applied->files[i].name, name) != 0)
        i++;
    if (i == applied->count) {
        snprintf(error, error_bytes,
                 "a newer version has made this database: it has %s, which is not known here. Run "
                 "that version, or this one on another database",
                 name);
        return false;
    }
    snprintf(ours, sizeof(ours), "%" PRId64, applied_hash(&applied->files[i]));
    if (strcmp(hash, ours) != 0) {
        snprintf(error, error_bytes,
                 "a development version has made this database, with another %s. Nothing was "
                 "changed; \"From a development version\" in docs/OPERATIONS.md says how to take "
                 "its readings over into a new one",
                 name);
        return false;
    }
    applied->is_applied[i] = true;
    return true;
}

size_t applied_next(const struct applied *applied, size_t from)
{
    while (from < applied->count && applied->is_applied[from])
        from++;
    return from;
}
