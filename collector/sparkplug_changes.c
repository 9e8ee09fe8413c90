#include "collector/sparkplug_changes.h"

#include "shared/base/mem.h"

#include <stdlib.h>

void sparkplug_changes_add_node(struct sparkplug_changes *changes,
                                const struct sparkplug_node_change *change)
{
    changes->nodes = mem_grow_zeroed(changes->nodes, &changes->node_capacity,
                                     changes->node_count + 1, sizeof(*change));
    changes->nodes[changes->node_count++] = *change;
}

void sparkplug_changes_add_birth(struct sparkplug_changes *changes,
                                 const struct sparkplug_birth_change *change)
{
    changes->births = mem_grow_zeroed(changes->births, &changes->birth_capacity,
                                      changes->birth_count + 1, sizeof(*change));
    changes->births[changes->birth_count++] = *change;
}

void sparkplug_changes_add_done(struct sparkplug_changes *changes, int64_t rejected_id)
{
    changes->done = mem_grow_zeroed(changes->done, &changes->done_capacity, changes->done_count + 1,
                                    sizeof(*changes->done));
    changes->done[changes->done_count++] = rejected_id;
}

void sparkplug_changes_clear(struct sparkplug_changes *changes)
{
    for (size_t i = 0; i < changes->node_count; i++) {
        free(changes->nodes[i].group);
        free(changes->nodes[i].edge);
    }
    for (size_t i = 0; i < changes->birth_count; i++) {
        free(changes->births[i].group);
        free(changes->births[i].edge);
        free(changes->births[i].device);
        free(changes->births[i].payload);
    }
    changes->node_count = changes->birth_count = changes->done_count = 0;
}

void sparkplug_changes_release(struct sparkplug_changes *changes)
{
    sparkplug_changes_clear(changes);
    free(changes->nodes);
    free(changes->births);
    free(changes->done);
    *changes = (struct sparkplug_changes){0};
}
