/* sparkplug_changes.h: what a batch has changed of what is known of Sparkplug nodes, on its way into the database.
 *
 * Shape    a state per node, and a payload per birth, or none when that birth no longer holds. Values and
 *          copies: the nodes themselves have changed again by the time that it is written.
 * Owner    whoever embeds it; zeroed is empty; sparkplug_changes_clear() frees the texts and keeps the arrays.
 */
#ifndef HIGHWATER_SPARKPLUG_CHANGES_H
#define HIGHWATER_SPARKPLUG_CHANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sparkplug_node_change {
    char *group;
    char *edge;
    bool is_born;
    int bd_seq;       /* -1 = none */
    int seq;          /* -1 = not known */
    int64_t heard_ms; /* -1 = not known */
    int64_t again_ms; /* of the last that comes again; -1 = nothing does */
    int again_seq;
};

struct sparkplug_birth_change {
    char *group;
    char *edge;
    char *device;           /* "": the node itself */
    unsigned char *payload; /* NULL: it no longer holds */
    size_t bytes;
};

struct sparkplug_changes {
    struct sparkplug_node_change *nodes;
    size_t node_count;
    size_t node_capacity;
    struct sparkplug_birth_change *births;
    size_t birth_count;
    size_t birth_capacity;
    int64_t *done; /* ids of rejected messages that were read again */
    size_t done_count;
    size_t done_capacity;
};

static inline bool sparkplug_changes_are_none(const struct sparkplug_changes *changes)
{
    return changes->node_count == 0 && changes->birth_count == 0 && changes->done_count == 0;
}

/* Takes the texts over. */
void sparkplug_changes_add_node(struct sparkplug_changes *changes,
                                const struct sparkplug_node_change *change);
void sparkplug_changes_add_birth(struct sparkplug_changes *changes,
                                 const struct sparkplug_birth_change *change);
void sparkplug_changes_add_done(struct sparkplug_changes *changes, int64_t rejected_id);

void sparkplug_changes_clear(struct sparkplug_changes *changes);
void sparkplug_changes_release(struct sparkplug_changes *changes);

#endif
