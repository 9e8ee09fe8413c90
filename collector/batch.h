/* batch.h: what was read and waits to be stored.
 *
 * Shape    rows in order of arrival, each a reading with its device, arrival and the bytes it came
 *          from; beside them the rejected messages. batch_sort() makes `order`: rows
 *          by (rank of the device, recorded_at, content_hash), repetitions left out.
 * Units    arrival in microseconds since 1970.
 * Errors   none: it grows. How much may gather is for the one who reads.
 * Owner    whoever embeds the struct; what is pushed is copied in. batch_clear() keeps the memory for
 *          the next round, so a steady load allocates nothing.
 */
#ifndef HIGHWATER_BATCH_H
#define HIGHWATER_BATCH_H

#include "collector/abouts.h"
#include "collector/rejected_list.h"
#include "collector/source_mark.h"
#include "collector/sparkplug_changes.h"
#include "shared/base/buffer.h"
#include "shared/model/reading_json.h"

/* The topic of a row stands behind its payload, as a C string. */
#define BATCH_TOPIC_KEPT UINT16_MAX

struct batch_row {
    int64_t received_at_us;
    int64_t first_received_at_us; /* earlier when it was rejected then and came again */
    int64_t seq;                  /* -1 = none */
    size_t payload_at;            /* in batch->payloads */
    uint32_t payload_bytes;
    uint32_t device;     /* index in struct devices */
    uint32_t element;    /* of those of its message that share the payload, counted from 0 */
    uint16_t filter;     /* that its topic matched, see intake_put_topic(); or BATCH_TOPIC_KEPT */
    bool is_shared : 1;  /* others of a group get the rest of what is sent */
    bool is_refused : 1; /* by the database: it is among the rejected messages instead */
    bool is_stored : 1;  /* by an earlier part of this batch */
    /* its reading follows it: batch_reading() */
};

struct batch {
    struct source_mark mark; /* once it is closed: of what is in it, and not yet released */
    bool is_part;            /* more of what the mark stands for is to come: positions stay */
    size_t feature_count;
    size_t stride; /* bytes per row */
    unsigned char *rows;
    size_t count;
    size_t capacity;
    struct buffer payloads;
    struct rejected_list rejected;
    struct sparkplug_changes sparkplug;
    struct abouts abouts;
    size_t message_count;  /* that were begun or gone on with: also those that gave nothing */
    size_t rejected_count; /* elements; one message may stand for many (rejects.h) */
    uint32_t rejected_by_reason[READING_ERROR_COUNT];
    int64_t oldest_received_at_us;
    uint64_t arrivals_us;          /* the sum of received_at_us of its rows, which wraps */
    int64_t newest_recorded_at_us; /* of its readings */
    uint32_t *order;               /* rows, sorted; batch->sorted_count of them */
    size_t sorted_count;
    size_t order_capacity;
    void *keys; /* scratch of batch_sort(), twice order_capacity */
};

void batch_init(struct batch *batch, size_t feature_count);
void batch_release(struct batch *batch);
void batch_clear(struct batch *batch);

static inline bool batch_is_empty(const struct batch *batch)
{
    return batch->count == 0 && batch->rejected_count == 0 && batch->message_count == 0;
}

/* There is something in it to be stored; else its messages are just done with. */
static inline bool batch_has_rows(const struct batch *batch)
{
    return batch->count > 0 || batch->rejected_count > 0 || batch->abouts.count > 0 ||
           !sparkplug_changes_are_none(&batch->sparkplug);
}

/* Of the messages in it. */
static inline size_t batch_bytes(const struct batch *batch)
{
    return batch->payloads.bytes + rejected_list_bytes(&batch->rejected);
}

static inline struct batch_row *batch_row(const struct batch *batch, size_t index)
{
    return (void *)(batch->rows + index * batch->stride);
}

static inline struct reading *batch_reading(const struct batch_row *row)
{
    return (void *)(row + 1);
}

/* Of a message whose readings all stand for all of it: that is kept once, with its topic. Returns where. */
size_t batch_keep_message(struct batch *batch, const char *topic, const void *payload,
                          size_t bytes);

/* Adds an item that is a reading, whose bytes are there already; returns its row, valid until the next. */
struct batch_row *batch_push_at(struct batch *batch, uint32_t device,
                                const struct reading_item *item, size_t payload_at);

/* The same with its bytes. */
static inline struct batch_row *batch_push(struct batch *batch, uint32_t device,
                                           const struct reading_item *item)
{
    size_t payload_at = batch->payloads.bytes;

    buffer_put(&batch->payloads, item->bytes, item->length);
    return batch_push_at(batch, device, item, payload_at);
}

/* Something that was received then is about to be added. */
void batch_note_arrival(struct batch *batch, int64_t received_at_us);

/* Adds an item that is none, with its error, detail, bytes and arrival. */
void batch_reject(struct batch *batch, const char *topic, const char *device,
                  const struct reading_item *item);

/* `ranks` has a number for each device by its index, and the order is theirs. */
void batch_sort(struct batch *batch, const int32_t *ranks);

#endif
