#include "collector/rejected_list.h"

#include "shared/base/mem.h"

#include <stdlib.h>
#include <string.h>

void rejected_list_release(struct rejected_list *list)
{
    free(list->entries);
    buffer_release(&list->bytes);
    *list = (struct rejected_list){0};
}

void rejected_list_clear(struct rejected_list *list)
{
    list->count = 0;
    buffer_clear(&list->bytes);
}

static void reserve(struct rejected_list *list, size_t more)
{
    size_t count = list->count + more;

    if (count <= list->capacity)
        return;
    list->capacity = mem_grown(list->capacity, count);
    list->entries = mem_realloc(list->entries, list->capacity * sizeof(list->entries[0]));
}

void rejected_list_add(struct rejected_list *list, const struct rejected_message *message)
{
    const struct rejected_entry entry = {.error = message->error,
                                         .detail_bytes = (uint32_t)strlen(message->detail) + 1,
                                         .topic_bytes = (uint32_t)strlen(message->topic) + 1,
                                         .device_bytes = (uint32_t)strlen(message->device) + 1,
                                         .at = list->bytes.bytes,
                                         .payload_bytes = message->payload_bytes,
                                         .first_received_at_us = message->first_received_at_us};

    reserve(list, 1);
    list->entries[list->count++] = entry;
    buffer_put(&list->bytes, message->detail, entry.detail_bytes);
    buffer_put(&list->bytes, message->topic, entry.topic_bytes);
    buffer_put(&list->bytes, message->device, entry.device_bytes);
    buffer_put(&list->bytes, message->payload, entry.payload_bytes);
}

void rejected_list_add_item(struct rejected_list *list, const char *topic, const char *device,
                            const struct reading_item *item)
{
    rejected_list_add(
        list, &(struct rejected_message){.error = item->error,
                                         .topic = topic,
                                         .device = device,
                                         .detail = item->detail,
                                         .payload = item->bytes,
                                         .payload_bytes = item->length,
                                         .first_received_at_us = item->first_received_at_us});
}

void rejected_list_move(struct rejected_list *list, struct rejected_list *from)
{
    reserve(list, from->count);
    for (size_t i = 0; i < from->count; i++) {
        list->entries[list->count] = from->entries[i];
        list->entries[list->count++].at += list->bytes.bytes;
    }
    buffer_put(&list->bytes, from->bytes.data, from->bytes.bytes);
    rejected_list_clear(from);
}

struct rejected_message rejected_list_at(const struct rejected_list *list, size_t index)
{
    const struct rejected_entry *entry = &list->entries[index];
    const char *detail = (const char *)list->bytes.data + entry->at;
    const char *topic = detail + entry->detail_bytes;
    const char *device = topic + entry->topic_bytes;

    return (struct rejected_message){.error = entry->error,
                                     .topic = topic,
                                     .device = device,
                                     .detail = detail,
                                     .payload = device + entry->device_bytes,
                                     .payload_bytes = entry->payload_bytes,
                                     .first_received_at_us = entry->first_received_at_us};
}
