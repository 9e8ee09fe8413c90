#include "collector/metrics.h"

#include "collector/lag.h"
#include "shared/base/timestamp.h"
#include "shared/net/prometheus.h"

#ifndef HIGHWATER_VERSION
#define HIGHWATER_VERSION "unversioned"
#endif

static void write_ingest(const struct prometheus *to, const struct metrics_view *view)
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
        {"highwater_about_messages_total", "counter",
         "Times that a device said what it is called, as is legal, or a mapping did of one.",
         (double)n->abouts},
        {"highwater_byte_order_mark_messages_total", "counter",
         "Messages that begin with a byte order mark, which is no part of them.",
         (double)n->byte_order_marks},
        {"highwater_trailing_nul_messages_total", "counter",
         "Messages that end with a NUL, which is no part of them.", (double)n->trailing_nuls},
        {"highwater_retained_messages_total", "counter",
         "Retained messages replayed by a subscription and rejected.", (double)n->retained},
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

    PROMETHEUS_WRITE(to, numbers);
    prometheus_head(to, "highwater_readings_rejected_total", "counter",
                    "Readings and messages kept as rejected, by reason.");
    for (int reason = READING_OK + 1; reason < READING_ERROR_COUNT; reason++)
        prometheus_labelled(to, "highwater_readings_rejected_total", "reason",
                            reading_error_text((enum reading_error)reason),
                            (double)n->rejected_by_reason[reason]);
    prometheus_head(to, "highwater_messages_without_readings_total", "counter",
                    "Messages that mappings pass over, and that are not kept, by why.");
    for (int why = DECODER_READ + 1; why < DECODER_NO_TOPIC; why++)
        prometheus_labelled(to, "highwater_messages_without_readings_total", "why",
                            decoder_outcome_text((enum decoder_outcome)why),
                            (double)n->without_readings[why]);
}

static void write_sparkplug(const struct prometheus *to, const struct sparkplug_counters *n)
{
    const struct {
        const char *what;
        uint64_t count;
    } events[] = {
        {"birth", n->births},           {"death", n->deaths},
        {"late_death", n->late_deaths}, {"out_of_order", n->out_of_order},
        {"unknown_alias", n->unknown},  {"rebirth_request", n->requests},
    };

    prometheus_head(to, "highwater_sparkplug_events_total", "counter",
                    "Births, deaths, gaps and requests of Sparkplug nodes and devices, by what.");
    for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
        prometheus_labelled(to, "highwater_sparkplug_events_total", "what", events[i].what,
                            (double)events[i].count);
}

/* They come from the database with the windows: before that 0 would look like a counter that began again. */
static void write_sequences(const struct prometheus *to, const struct metrics_view *view)
{
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
    };

    if (view->is_complete)
        PROMETHEUS_WRITE(to, numbers);
}

static void write_devices(const struct prometheus *to, const struct metrics_view *view)
{
    static const struct {
        const char *text;
        int32_t s;
    } spans[] = {{"5m", 300}, {"1h", 3600}};

    if (!view->hearing->is_known)
        return;
    prometheus_number(to, "highwater_devices_heard", "gauge",
                      "Devices whose readings come to this collector.",
                      (double)hearing_count(view->hearing));
    prometheus_head(to, "highwater_devices_silent", "gauge",
                    "Of these, devices of which nothing has arrived for so long, in time in which "
                    "we could hear them.");
    for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++)
        prometheus_labelled(to, "highwater_devices_silent", "for", spans[i].text,
                            (double)hearing_count_silent(view->hearing, spans[i].s));
}

/* Not before it is known who is beyond. */
static void write_thresholds(const struct prometheus *to, const struct metrics_view *view)
{
    const struct thresholds *thresholds = view->thresholds;
    size_t count = thresholds->is_known ? thresholds->list->count : 0;

    if (count == 0)
        return;
    prometheus_head(to, "highwater_threshold_devices", "gauge",
                    "Devices that are beyond a threshold of THRESHOLDS, by what they sent last.");
    for (size_t i = 0; i < count; i++)
        prometheus_labelled(to, "highwater_threshold_devices", "threshold",
                            thresholds->list->items[i].text, (double)thresholds->beyond[i]);
    prometheus_head(to, "highwater_threshold_crossings_total", "counter",
                    "How often a device went beyond it, by readings that this process stored.");
    for (size_t i = 0; i < count; i++)
        prometheus_labelled(to, "highwater_threshold_crossings_total", "threshold",
                            thresholds->list->items[i].text, (double)thresholds->crossings[i]);
}

static void write_times(const struct prometheus *to, const struct commit_times *times)
{
    prometheus_head(to, "highwater_arrival_to_commit_seconds", "histogram",
                    "Of each reading that was committed, new or duplicate: from its arrival to the "
                    "end of the commit.");
    prometheus_histogram(to, "highwater_arrival_to_commit_seconds", NULL, &commit_times_bounds,
                         &times->arrivals);
    prometheus_head(to, "highwater_commit_duration_seconds", "histogram",
                    "Of each batch: how long the store took, with all tries.");
    prometheus_histogram(to, "highwater_commit_duration_seconds", NULL, &commit_times_bounds,
                         &times->commits);
    prometheus_head(to, "highwater_batch_readings", "histogram",
                    "Readings of each batch that was committed, with those rejected.");
    prometheus_histogram(to, "highwater_batch_readings", NULL, &commit_times_batch_bounds,
                         &times->batches);
    if (times->last_us > 0)
        prometheus_number(to, "highwater_last_commit_timestamp_seconds", "gauge",
                          "When this process committed last, since 1970.",
                          (double)times->last_us / 1e6);
}

static void write_readiness(const struct prometheus *to, const struct metrics_view *view)
{
    struct buffer reasons = {0};

    prometheus_number(to, "highwater_ready", "gauge",
                      "1 while readings are taken, stored and shown: what /readyz says.",
                      metrics_is_ready(&reasons, view));
    buffer_release(&reasons);
}

/* Labels of their own: who draws a feature joins them to it. A UNIT line would be of the metric's name,
 * and no metric is of one feature. */
static void write_features(const struct prometheus *to, const struct features *features)
{
    prometheus_head(to, "highwater_feature_info", "gauge",
                    "1 for each feature that is kept, with its unit and label as FEATURES or "
                    "MAPPINGS say them.");
    for (size_t i = 0; i < features->count; i++) {
        const struct prometheus_label labels[] = {{"feature", features->names[i]},
                                                  {"unit", features->units[i]},
                                                  {"label", features->labels[i]}};

        prometheus_value(to, "highwater_feature_info", labels, 3, 1);
    }
}

static void write_rest(const struct prometheus *to, const struct metrics_view *view)
{
    const struct windows_stats windows = windows_stats(view->windows);
    const struct prometheus_sample numbers[] = {
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
    };

    PROMETHEUS_WRITE(to, numbers);
    prometheus_head(to, "highwater_build_info", "gauge", "The version.");
    prometheus_labelled(to, "highwater_build_info", "version", HIGHWATER_VERSION, 1);
}

void metrics_write(struct buffer *out, const struct metrics_view *view)
{
    const struct prometheus to = {.out = out, .common = {"collector", view->collector_id}};

    write_readiness(&to, view);
    write_ingest(&to, view);
    write_times(&to, &view->ingest->times);
    write_devices(&to, view);
    write_thresholds(&to, view);
    source_put_metrics(view->source, &to);
    board_publisher_put_metrics(view->publisher, &to);
    write_sparkplug(&to, &view->ingest->sparkplug.counters);
    write_sequences(&to, view);
    write_rest(&to, view);
    write_features(&to, view->features);
    store_put_metrics(view->store, &to);
    prometheus_process(&to, view->started_at_us);
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
