/* heard.h: what was heard at a broker, as much of it as a first mapping is made of.
 *
 * Shape    topics, each with a few of its payloads: those of another shape than the ones before, so that a
 *          last will is not lost among readings, and a few more, so that one sees what varies.
 * Bounds   topics, payloads of a topic, bytes of a payload and of all: who may publish decides what comes.
 *          What is beyond them is counted.
 * Left out $SYS and what collectors publish; neither is of a device.
 * Errors   none.
 * Owner    heard_release() frees what the struct holds; zeroed is empty.
 */
#ifndef HIGHWATER_SUGGEST_HEARD_H
#define HIGHWATER_SUGGEST_HEARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    HEARD_TOPICS_MOST = 5000,
    HEARD_SHAPES_MOST = 8, /* payloads of a topic */
    HEARD_ALIKE_MOST = 4,  /* of them before only other shapes count */
    HEARD_PAYLOAD_MOST = 65536,
    HEARD_BYTES_MOST = 32 * 1024 * 1024
};

struct heard_payload {
    char *text; /* with a NUL behind it */
    size_t bytes;
    uint64_t shape;
    int64_t at_us;
    bool is_retained; /* nobody knows since when */
};

struct heard_topic {
    char *name;
    uint64_t hash;
    size_t count;
    struct heard_payload payloads[HEARD_SHAPES_MOST];
    bool has_long; /* payloads of more than HEARD_PAYLOAD_MOST, none of which is kept */
};

struct heard_messages {
    struct heard_topic *topics;
    size_t count;
    size_t capacity;
    size_t *slots; /* by hash; topic number + 1 */
    size_t slot_count;
    size_t bytes;
    uint64_t messages;
    uint64_t left_out; /* messages on topics that were one too many, or beyond HEARD_BYTES_MOST */
    uint64_t not_of_devices;
};

void heard_add(struct heard_messages *heard, const char *topic, const void *payload, size_t bytes,
               int64_t at_us, bool is_retained);

/* By name, so that the same messages give the same mapping in whatever order they came. */
void heard_sort(struct heard_messages *heard);

void heard_release(struct heard_messages *heard);

#endif
