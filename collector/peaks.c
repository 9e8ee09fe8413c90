#include "collector/peaks.h"

#include "collector/pg_binary.h"
#include "shared/board.h"

#include <math.h>
#include <string.h>

static void encode_peak(struct buffer *out, int32_t database_id, const struct reading *reading,
                        size_t feature, enum sort_order order, const struct features *features)
{
    const char *order_text = sort_order_text(order);

    pg_put_row(out, (uint16_t)(7 + features->count));
    pg_put_int4(out, database_id);
    pg_put_int8(out, reading->content_hash);
    pg_put_moment(out, reading->recorded_at_us);
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

/* The best reading in one ranking among the sorted rows [from, to), all of one device, that were
 * not refused; NULL when none has the feature. */
static const struct reading *best_of(const struct batch *batch, size_t from, size_t to,
                                     const struct staircase_kind *kind)
{
    const struct reading *best = NULL;

    for (size_t i = from; i < to; i++) {
        const struct batch_row *row = batch_row(batch, batch->order[i]);
        const struct reading *reading = batch_reading(row);

        if (!row->is_refused && !isnan(reading->values[kind->feature]) &&
            (!best || staircase_is_better(kind, reading, best)))
            best = reading;
    }
    return best;
}

size_t peaks_encode(const struct batch *batch, const struct devices *devices,
                    const struct windows *windows, const struct features *features,
                    struct buffer *out)
{
    size_t encoded = 0;
    size_t to;

    pg_put_header(out);
    for (size_t from = 0; from < batch->sorted_count; from = to) {
        uint32_t device = batch_row(batch, batch->order[from])->device;

        to = from + 1;
        while (to < batch->sorted_count && batch_row(batch, batch->order[to])->device == device)
            to++;
        for (uint32_t ranking = 0; ranking < windows->ranking_count; ranking++) {
            const struct staircase_kind *kind = &windows->kinds[ranking];
            const struct reading *best = best_of(batch, from, to, kind);
            const struct reading *peak = windows_peak(windows, device, ranking);

            if (!best || (peak && !staircase_is_better(kind, best, peak)))
                continue;
            encode_peak(out, devices->items[device].database_id, best, kind->feature,
                        kind->sign > 0 ? ORDER_HIGHEST : ORDER_LOWEST, features);
            encoded++;
        }
    }
    pg_put_trailer(out);
    return encoded;
}

void peaks_columns(struct buffer *out, const struct features *features)
{
    buffer_put_text(out, "device, content_hash, recorded_at, value, status, feature, sort_order");
    for (size_t i = 0; i < features->count; i++)
        buffer_printf(out, ", \"%s\"", features->names[i]);
}

void peaks_merge_sql(struct buffer *out, const struct features *features)
{
    buffer_put_text(out, "INSERT INTO peaks AS p (");
    peaks_columns(out, features);
    buffer_put_text(out, ") SELECT ");
    peaks_columns(out, features);
    buffer_put_text(out,
                    " FROM peaks_stage ORDER BY device, feature, sort_order"
                    " ON CONFLICT (device, feature, sort_order) DO UPDATE SET"
                    " content_hash = EXCLUDED.content_hash, recorded_at = EXCLUDED.recorded_at,"
                    " value = EXCLUDED.value, status = EXCLUDED.status");
    for (size_t i = 0; i < features->count; i++)
        buffer_printf(out, ", \"%s\" = EXCLUDED.\"%s\"", features->names[i], features->names[i]);
    buffer_put_text(
        out, " WHERE (CASE p.sort_order WHEN 'desc' THEN EXCLUDED.value ELSE -EXCLUDED.value END,"
             " EXCLUDED.recorded_at, EXCLUDED.content_hash)"
             " > (CASE p.sort_order WHEN 'desc' THEN p.value ELSE -p.value END,"
             " p.recorded_at, p.content_hash);");
}
