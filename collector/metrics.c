#include "collector/metrics.h"

#include "collector/lag.h"
#include "shared/base/timestamp.h"
#include "shared/net/prometheus.h"

#include <inttypes.h>

#ifndef HIGHWATER_VERSION
#define HIGHWATER_VERSION "unversioned"
#endif

static void write_ingest(struct buffer *out, const struct metrics_view *view)
{
    const struct ingest *ingest = view->ingest;
    const struct ingest_counters *n = &ingest->counters;
    const struct prometheus_sample numbers[] = {
        {"highwater_messages_total", "counter", "MQTT messages received.", (double)n->messages},
        {"highwater_readings_received_total", "counter",
         "Readings received; always stored + duplicates + rejected + in flight.",
         (double)n->received},
        {"highwater_readings_stored_total", "counter", "Readings that became a row.",
         (double)n->stored},
        {"highwater_readings_duplicate_total", "counter",
         "Readings whose row was there already, or that came again after a turn of another.",
         (double)n->duplicates},
        {"highwater_readings_in_flight", "gauge", "Readings received and not yet committed.",
         (double)ingest_in_flight(ingest)},
        {"highwater_accounting_mismatches_total", "counter",
         "Checks in which received was not the sum of the others; report any.",
         (double)view->accounting_mismatches},
        {"highwater_batches_total", "counter", "Batches committed.", (double)n->batches},
        {"highwater_batches_stale_total", "counter",
         "Batches committed after their connection had ended; the broker delivers them again.",
         (double)n->stale_batches},
        {"highwater_batches_fenced_total", "counter",
         "Batches of a log that were not stored, because it stands elsewhere by now.",
         (double)n->fenced_batches},
        {"highwater_qos0_messages_total", "counter", "Messages that carry no promise.",
         (double)n->qos0},
        {"highwater_byte_order_mark_messages_total", "counter",
         "Messages that begin with a byte order mark, which is no part of them.",
         (double)n->byte_order_marks},
        {"highwater_trailing_nul_messages_total", "counter",
         "Messages that end with a NUL, which is no part of them.", (double)n->trailing_nuls},
        {"highwater_retained_messages_total", "counter",
         "Retained messages replayed by a subscription, all rejected.", (double)n->retained},
        {"highwater_readings_without_timestamp_total", "counter",
         "Readings stamped on arrival, whose duplicates cannot be told.",
         (double)n->without_timestamp},
        {"highwater_unknown_members_total", "counter", "Members of payloads that no setting names.",
         (double)n->unknown_members},
        {"highwater_lag_seconds", "gauge",
         "Of the last batch, from its first arrival to its commit; or the age of the oldest "
         "reading "
         "that is not committed, if that is more.",
         view->lag_ms / 1e3},
        {"highwater_oldest_uncommitted_seconds", "gauge",
         "The age of the oldest reading that is not committed; 0 when there is none.",
         (double)lag_waiting_ms(ingest) / 1e3},
        {"highwater_session_takeovers_total", "counter",
         "Connections that another client with our id ended.",
         (double)(source_takeovers(view->source) + board_publisher_takeovers(view->publisher))},
    };

    PROMETHEUS_WRITE(out, numbers);
    prometheus_head(out, "highwater_readings_rejected_total", "counter",
                    "Readings and messages kept as rejected, by reason.");
    for (int reason = READING_OK + 1; reason < READING_ERROR_COUNT; reason++)
        buffer_printf(out, "highwater_readings_rejected_total{reason=\"%s\"} %" PRIu64 "\n",
                      reading_error_text((enum reading_error)reason),
                      n->rejected_by_reason[reason]);
    prometheus_head(out, "highwater_messages_without_readings_total", "counter",
                    "Messages that mappings pass over, and that are not kept, by why.");
    for (int why = DECODER_READ + 1; why < DECODER_NO_TOPIC; why++)
        buffer_printf(out, "highwater_messages_without_readings_total{why=\"%s\"} %" PRIu64 "\n",
                      decoder_outcome_text((enum decoder_outcome)why), n->without_readings[why]);
}

static void write_sparkplug(struct buffer *out, const struct sparkplug_counters *n)
{
    const struct {
        const char *what;
        uint64_t count;
    } events[] = {
        {"birth", n->births},           {"death", n->deaths},
        {"late_death", n->late_deaths}, {"out_of_order", n->out_of_order},
        {"unknown_alias", n->unknown},  {"rebirth_request", n->requests},
    };

    prometheus_head(out, "highwater_sparkplug_events_total", "counter",
                    "Births, deaths, gaps and requests of Sparkplug nodes and devices, by what.");
    for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
        buffer_printf(out, "highwater_sparkplug_events_total{what=\"%s\"} %" PRIu64 "\n",
                      events[i].what, events[i].count);
}

static void write_rest(struct buffer *out, const struct metrics_view *view)
{
    const struct windows_stats windows = windows_stats(view->windows);
    const struct sequences_totals numbers_say = sequences_totals(view->sequences);
    const struct prometheus_sample numbers[] = {
        {"highwater_numbered_devices", "gauge", "Devices that number their readings.",
         (double)view->sequences->device_count},
        {"highwater_sequence_missing", "gauge", "Numbers of theirs that have not come.",
         (double)numbers_say.missing},
        {"highwater_sequence_repeats_total", "counter", "Numbers that came again.",
         (double)numbers_say.repeats},
        {"highwater_sequence_restarts_total", "counter", "Numberings that started again.",
         (double)numbers_say.restarts},
        {"highwater_windows_complete", "gauge", "1 when the windows are loaded.",
         view->is_complete},
        {"highwater_windows_devices", "gauge", "Devices known.", (double)windows.devices},
        {"highwater_windows_steps", "gauge", "Readings kept in staircases.", (double)windows.steps},
        {"highwater_windows_bytes", "gauge", "Memory of the windows.", (double)windows.bytes},
        {"highwater_windows_tower_bytes", "gauge",
         "Of that, for staircases of many steps: what WINDOWS_MEMORY limits.",
         (double)windows.tower_bytes},
        {"highwater_windows_tower_limit_bytes", "gauge", "WINDOWS_MEMORY.",
         (double)windows.tower_limit_bytes},
        {"highwater_windows_repairs_total", "counter", "Stale heap entries repaired.",
         (double)windows.repairs},
        {"highwater_windows_coarsened_total", "counter", "Steps given up to WINDOWS_MEMORY.",
         (double)windows.coarsened},
        {"highwater_windows_rewinds_total", "counter", "Times the clock went back.",
         (double)windows.rewinds},
        {"highwater_windows_loads_total", "counter",
         "Times the windows were loaded; again when another collector is gone.",
         (double)view->coverage->loads},
        {"highwater_start_time_seconds", "gauge", "When the collector started, since 1970.",
         (double)view->started_at_us / 1e6},
    };

    PROMETHEUS_WRITE(out, numbers);
    prometheus_head(out, "highwater_build_info", "gauge", "The version.");
    buffer_put_text(out, "highwater_build_info{version=\"" HIGHWATER_VERSION "\"} 1\n");
}

void metrics_write(struct buffer *out, const struct metrics_view *view)
{
    write_ingest(out, view);
    source_put_metrics(view->source, out);
    board_publisher_put_metrics(view->publisher, out);
    write_sparkplug(out, &view->ingest->sparkplug.counters);
    write_rest(out, view);
    store_put_metrics(view->store, out);
    prometheus_process(out);
}

bool metrics_is_ready(struct buffer *reasons, const struct metrics_view *view)
{
    const struct ingest *ingest = view->ingest;
    size_t before = reasons->bytes;

    store_put_faults(view->store, reasons);
    if (lag_stands_still(ingest)) {
        lag_explain(ingest, reasons);
        buffer_put_text(reasons, "\n");
    }
    source_put_faults(view->source, reasons);
    if (source_is_up(view->source))
        board_publisher_put_away(view->publisher, reasons);
    board_publisher_put_faults(view->publisher, reasons);
    if (!view->is_complete)
        buffer_put_text(reasons, "the windows are being loaded\n");
    return reasons->bytes == before;
}
