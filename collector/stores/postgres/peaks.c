#include "collector/stores/postgres/peaks.h"

#include "collector/stores/postgres/pg_binary.h"
#include "shared/base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void peaks_init(struct peaks *peaks, const struct features *features)
{
    *peaks = (struct peaks){.features = features};
}

void peaks_release(struct peaks *peaks)
{
    free(peaks->bounds);
    free(peaks->sent);
    *peaks = (struct peaks){0};
}

static double sign_of(enum sort_order order)
{
    return order == ORDER_HIGHEST ? 1 : -1;
}

static size_t position(const struct peaks *peaks, uint32_t device, size_t feature,
                       enum sort_order order)
{
    return ((size_t)device * peaks->features->count + feature) * ORDER_COUNT + order;
}

static void make_bounds(struct peaks *peaks, size_t device_count)
{
    size_t width = peaks->features->count * ORDER_COUNT;
    size_t old = peaks->device_count;

    if (device_count <= old)
        return;
    peaks->device_count = mem_grown(old, device_count);
    peaks->bounds =
        mem_realloc(peaks->bounds, peaks->device_count * width * sizeof(*peaks->bounds));
    for (size_t i = old * width; i < peaks->device_count * width; i++)
        peaks->bounds[i] = (struct peaks_bound){.height = -INFINITY};
}

static bool may_be_news(const struct peaks_bound *bound, const struct peaks_bound *candidate)
{
    /* Equal in both, it may have the larger hash. */
    return reading_rank(candidate->height, candidate->recorded_at_us, bound->height,
                        bound->recorded_at_us) >= 0;
}

static void note_sent(struct peaks *peaks, size_t at, const struct peaks_bound *bound)
{
    if (peaks->sent_count == peaks->sent_capacity) {
        peaks->sent_capacity = mem_grown(peaks->sent_capacity, peaks->sent_count + 1);
        peaks->sent = mem_realloc(peaks->sent, peaks->sent_capacity * sizeof(*peaks->sent));
    }
    peaks->sent[peaks->sent_count++] = (struct peaks_sent){at, *bound};
}

static void put_row(struct buffer *out, int32_t database_id, const struct reading *reading,
                    size_t feature, enum sort_order order, const struct features *features)
{
    const char *order_text = sort_order_text(order);

    pg_put_row(out, (uint16_t)(7 + features->count));
    pg_put_int4(out, database_id);
    pg_put_int8(out, reading->content_hash);
    pg_put_timestamp(out, reading->recorded_at_us);
    pg_put_double(out, reading->values[feature]);
    if (reading->status == STATUS_ABSENT)
        pg_put_null(out);
    else
        pg_put_int2(out, reading->status);
    pg_put_bytes(out, features->names[feature], strlen(features->names[feature]));
    pg_put_bytes(out, order_text, strlen(order_text));
    for (size_t i = 0; i < features->count; i++)
        pg_put_double(out, reading->values[i]);
}

void peaks_put_columns(struct buffer *out, const struct features *features)
{
    buffer_put_text(out, "device, content_hash, recorded_at, value, status, feature, sort_order");
    for (size_t i = 0; i < features->count; i++)
        buffer_printf(out, ", \"%s\"", features->names[i]);
}

/* The best reading in one ranking among the sorted rows [from, to), all of one device, that are
 * stored with `span`; NULL when none has the feature. */
static const struct reading *best_of(const struct batch *batch, size_t from, size_t to,
                                     const struct rows_span *span, size_t feature, double sign)
{
    const struct reading *best = NULL;

    for (size_t i = from; i < to; i++) {
        const struct batch_row *row = batch_row(batch, batch->order[i]);
        const struct reading *reading = batch_reading(row);

        if (!isnan(reading->values[feature]) && rows_is_due(row, span) &&
            (!best || reading_is_better(reading, best, feature, sign)))
            best = reading;
    }
    return best;
}

/* Of the rows [from, to), all of one device, what may be news; how many rows. */
static size_t encode_device(struct peaks *peaks, const struct batch *batch, size_t from, size_t to,
                            const struct rows_span *span, const struct refs *refs,
                            struct buffer *out)
{
    uint32_t device = batch_row(batch, batch->order[from])->device;
    size_t encoded = 0;

    for (size_t feature = 0; feature < peaks->features->count; feature++) {
        for (enum sort_order order = ORDER_HIGHEST; order < ORDER_COUNT; order++) {
            double sign = sign_of(order);
            const struct reading *best = best_of(batch, from, to, span, feature, sign);
            size_t at = position(peaks, device, feature, order);
            struct peaks_bound candidate;

            if (!best)
                continue;
            candidate = (struct peaks_bound){sign * best->values[feature], best->recorded_at_us};
            if (!may_be_news(&peaks->bounds[at], &candidate))
                continue;
            put_row(out, refs->by_device[device], best, feature, order, peaks->features);
            note_sent(peaks, at, &candidate);
            encoded++;
        }
    }
    return encoded;
}

void peaks_begin(struct peaks *peaks)
{
    peaks->sent_count = 0;
}

size_t peaks_encode(struct peaks *peaks, const struct batch *batch, const struct refs *refs,
                    const struct rows_span *span, struct buffer *out)
{
    size_t encoded = 0;
    size_t to;

    make_bounds(peaks, refs->device_count);
    pg_put_header(out);
    for (size_t from = 0; from < batch->sorted_count; from = to) {
        uint32_t device = batch_row(batch, batch->order[from])->device;

        to = from + 1;
        while (to < batch->sorted_count && batch_row(batch, batch->order[to])->device == device)
            to++;
        encoded += encode_device(peaks, batch, from, to, span, refs, out);
    }
    pg_put_trailer(out);
    return encoded;
}

void peaks_answered(struct peaks *peaks, uint32_t device, size_t feature, enum sort_order order,
                    double value, int64_t recorded_at_us)
{
    struct peaks_bound bound = {sign_of(order) * value, recorded_at_us};

    make_bounds(peaks, (size_t)device + 1);
    note_sent(peaks, position(peaks, device, feature, order), &bound);
}

void peaks_committed(struct peaks *peaks)
{
    for (size_t i = 0; i < peaks->sent_count; i++) {
        struct peaks_bound *bound = &peaks->bounds[peaks->sent[i].at];

        if (may_be_news(bound, &peaks->sent[i].bound))
            *bound = peaks->sent[i].bound;
    }
    peaks->sent_count = 0;
}

void peaks_forget(struct peaks *peaks, uint32_t device)
{
    size_t width = peaks->features->count * ORDER_COUNT;

    if (device >= peaks->device_count)
        return;
    for (size_t i = device * width; i < (device + 1) * width; i++)
        peaks->bounds[i] = (struct peaks_bound){.height = -INFINITY};
}
