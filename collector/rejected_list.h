/* rejected_list.h: rejected messages that wait to be stored, in the order of their arrival.
 *
 * Shape    values, copied in: each entry says where its texts and its payload lie in one buffer.
 * Errors   none. No memory: mem.h.
 * Owner    embedded; zeroed is empty; rejected_list_release() frees it. rejected_list_clear() keeps
 *          the memory.
 */
#ifndef HIGHWATER_REJECTED_LIST_H
#define HIGHWATER_REJECTED_LIST_H

#include "shared/base/buffer.h"
#include "shared/model/reading_json.h"

struct rejected_message {
    enum reading_error error;
    const char *topic;  /* as it came: any bytes but NUL */
    const char *device; /* a legal id; "" = not known */
    const char *detail;
    const void *payload;
    size_t payload_bytes;
    int64_t first_received_at_us;
};

struct rejected_entry {
    enum reading_error error;
    uint32_t detail_bytes; /* with its NUL, as the next */
    uint32_t topic_bytes;
    uint32_t device_bytes;
    size_t at; /* in `bytes`: detail, topic, device, payload */
    size_t payload_bytes;
    int64_t first_received_at_us;
};

struct rejected_list {
    struct rejected_entry *entries;
    size_t count;
    size_t capacity;
    struct buffer bytes;
};

void rejected_list_release(struct rejected_list *list);
void rejected_list_clear(struct rejected_list *list);

void rejected_list_add(struct rejected_list *list, const struct rejected_message *message);

/* An item that is no reading. */
void rejected_list_add_item(struct rejected_list *list, const char *topic, const char *device,
                            const struct reading_item *item);

/* Appends what `from` has, and empties that. */
void rejected_list_move(struct rejected_list *list, struct rejected_list *from);

/* Valid until the list changes. */
struct rejected_message rejected_list_at(const struct rejected_list *list, size_t index);

/* What it takes. */
static inline size_t rejected_list_bytes(const struct rejected_list *list)
{
    return list->bytes.bytes + list->count * sizeof(list->entries[0]);
}

#endif
