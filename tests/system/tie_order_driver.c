/* Ranks the readings on its standard input as the programs do; test_tie_order.py compares with SQL.
 *
 *     tie_order_driver desc|asc <limit> < lines of: device-id recorded_at_us content_hash value
 *
 * Prints a board of one feature: device id, recorded_at_us and content_hash, the best first. */
#include "shared/base/mem.h"
#include "shared/model/board.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    enum sort_order order;
    struct board_entry *entries = NULL;
    size_t count = 0;
    size_t kept;
    char id[DEVICE_ID_SIZE];
    int64_t at_us;
    int64_t hash;
    double value;

    if (argc != 3 || !sort_order_parse(&order, argv[1]))
        return 2;
    while (scanf("%64s %" SCNd64 " %" SCNd64 " %lf", id, &at_us, &hash, &value) == 4) {
        union reading_storage *storage = mem_calloc(1, sizeof(*storage));

        storage->reading.recorded_at_us = at_us;
        storage->reading.content_hash = hash;
        storage->reading.values[0] = value;
        entries = mem_realloc(entries, (count + 1) * sizeof(*entries));
        entries[count++] = (struct board_entry){mem_strdup(id), &storage->reading};
    }
    kept = board_rank(entries, count, 0, order, strtoul(argv[2], NULL, 10));
    for (size_t i = 0; i < kept; i++)
        printf("%s %" PRId64 " %" PRId64 "\n", entries[i].device_id,
               (int64_t)entries[i].reading->recorded_at_us, entries[i].reading->content_hash);
    return 0;
}
