#include "collector/rejects.h"

#include <stdio.h>
#include <string.h>

bool rejects_add(struct rejects *rejects, const char *topic, const char *device,
                 const struct reading_item *item, size_t element)
{
    if (rejects->count == 0) {
        rejects->first_error = item->error;
        rejects->first_element = element;
        rejects->oldest_received_at_us = item->received_at_us;
        snprintf(rejects->first_detail, sizeof(rejects->first_detail), "%s", item->detail);
    }
    rejects->count++;
    rejects->by_reason[item->error]++;
    if (rejects->count > REJECTS_LISTED_MOST)
        return false;
    rejected_list_add_item(&rejects->listed, topic, device, item);
    return true;
}

/* "element 3: a reading is a JSON object; and 523999 more of its 524001 elements: 523990
 * not_an_object, 10 no_value" */
static void put_detail(const struct rejects *rejects, size_t elements, struct buffer *out)
{
    const char *before = ": ";

    buffer_printf(out, "element %zu: %s; and %zu more of its %zu elements", rejects->first_element,
                  rejects->first_detail, rejects->count - 1, elements);
    for (int reason = READING_OK + 1; reason < READING_ERROR_COUNT; reason++) {
        if (rejects->by_reason[reason] == 0)
            continue;
        buffer_printf(out, "%s%u %s", before, rejects->by_reason[reason],
                      reading_error_text((enum reading_error)reason));
        before = ", ";
    }
}

static void put_all_in_one(const struct rejects *rejects, struct rejected_list *list,
                           const struct rejects_message *message)
{
    struct buffer detail = {0};

    put_detail(rejects, message->elements, &detail);
    rejected_list_add(
        list, &(struct rejected_message){.error = rejects->first_error,
                                         .topic = message->topic,
                                         .device = message->device,
                                         .detail = buffer_text(&detail),
                                         .payload = message->payload,
                                         .payload_bytes = message->bytes,
                                         .first_received_at_us = message->first_received_at_us});
    buffer_release(&detail);
}

void rejects_move(struct rejects *rejects, struct batch *batch,
                  const struct rejects_message *message)
{
    if (rejects->count == 0)
        return;
    batch_note_arrival(batch, rejects->oldest_received_at_us);
    if (rejects->count > REJECTS_LISTED_MOST)
        put_all_in_one(rejects, &batch->rejected, message);
    else
        rejected_list_move(&batch->rejected, &rejects->listed);
    batch->rejected_count += rejects->count;
    for (int reason = 0; reason < READING_ERROR_COUNT; reason++)
        batch->rejected_by_reason[reason] += rejects->by_reason[reason];
    rejects_clear(rejects);
}

void rejects_clear(struct rejects *rejects)
{
    memset(rejects->by_reason, 0, sizeof(rejects->by_reason));
    rejected_list_clear(&rejects->listed);
    rejects->count = 0;
}

void rejects_release(struct rejects *rejects)
{
    rejected_list_release(&rejects->listed);
}
