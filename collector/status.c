#include "collector/status.h"

#include "collector/lag.h"
#include "shared/base/json_write.h"
#include "shared/base/timestamp.h"

#include <inttypes.h>

#ifndef HIGHWATER_VERSION
#define HIGHWATER_VERSION "unversioned"
#endif

static const char *state_name(const struct status_view *view)
{
    if (view->has_stopped)
        return "stopped";
    /* while it drains it is there: what it holds is on no board yet */
    if (!view->is_complete)
        return "warming";
    return ingest_is_live(view->ingest) ? "live" : "degraded";
}

/* What keeps readings from being stored; NULL = nothing does, or it ends. */
static const char *find_lack(const struct ingest *ingest)
{
    if (!ingest->store || ingest->state == INGEST_CLOSING)
        return NULL;
    if (!store_is_ready(ingest->store) || lag_stands_still(ingest))
        return "store";
    return source_is_up(ingest->source) ? NULL : "source";
}

static void put_lack(struct buffer *out, const struct ingest *ingest)
{
    const char *lack = find_lack(ingest);

    if (lack)
        buffer_printf(out, "\"lacks\":\"%s\",\"oldestUncommittedMs\":%" PRIu64 ",", lack,
                      lag_waiting_ms(ingest));
}

static void put_features(struct buffer *out, const struct features *features)
{
    buffer_put_text(out, ",\"features\":[");
    for (size_t i = 0; i < features->count; i++)
        buffer_printf(out, "%s\"%s\"", i > 0 ? "," : "", features->names[i]);
    buffer_put_text(out, "]");
}

/* Of the features of which it is said; nothing when it is of none. */
static void put_words(struct buffer *out, const struct features *features, const char *member,
                      const char *(*word_of)(const struct features *features, size_t feature))
{
    const char *before = "";

    for (size_t i = 0; i < features->count; i++) {
        const char *word = word_of(features, i);

        if (!*word)
            continue;
        if (!*before)
            buffer_printf(out, ",\"%s\":{", member);
        buffer_printf(out, "%s\"%s\":", before, features->names[i]);
        json_write_string(out, word);
        before = ",";
    }
    buffer_put_text(out, *before ? "}" : "");
}

static const char *unit_of(const struct features *features, size_t feature)
{
    return features->units[feature];
}

static const char *label_of(const struct features *features, size_t feature)
{
    return features->labels[feature];
}

static void put_intervals(struct buffer *out, const struct intervals *intervals)
{
    buffer_put_text(out, ",\"intervals\":[");
    for (size_t i = 0; i < intervals->count; i++) {
        const struct interval *interval = &intervals->items[i];

        buffer_printf(out, "%s{\"name\":\"%s\",\"lengthMs\":", i > 0 ? "," : "", interval->name);
        if (interval->length_us == INTERVAL_ALL_TIME)
            buffer_put_text(out, "null}");
        else
            buffer_printf(out, "%" PRId64 "}", interval->length_us / 1000);
    }
    buffer_put_text(out, "]");
}

/* How many devices are beyond each; not before that is known. */
static void put_thresholds(struct buffer *out, const struct status_view *view)
{
    const struct threshold_list *list = view->thresholds->list;

    for (size_t i = 0; i < list->count; i++) {
        const struct threshold *threshold = &list->items[i];

        buffer_put_text(out, i == 0 ? ",\"thresholds\":[{\"feature\":" : ",{\"feature\":");
        json_write_string(out, view->settings->features.names[threshold->feature]);
        buffer_printf(out, ",\"%s\":", threshold_side(threshold));
        json_write_double(out, threshold->limit);
        buffer_put_text(out, ",\"back\":");
        json_write_double(out, threshold->back);
        if (view->thresholds->is_known)
            buffer_printf(out, ",\"devices\":%" PRIu64, view->thresholds->beyond[i]);
        buffer_put_text(out, i + 1 == list->count ? "}]" : "}");
    }
}

/* {"not_json":3}: the reasons that there were. */
static void put_rejected_by_reason(struct buffer *out, const struct ingest_counters *n)
{
    const char *before = "";

    buffer_put_text(out, ",\"rejectedByReason\":{");
    for (int reason = READING_OK + 1; reason < READING_ERROR_COUNT; reason++) {
        if (n->rejected_by_reason[reason] == 0)
            continue;
        buffer_printf(out, "%s\"%s\":%" PRIu64, before,
                      reading_error_text((enum reading_error)reason),
                      n->rejected_by_reason[reason]);
        before = ",";
    }
    buffer_put_text(out, "}");
}

static void put_counts(struct buffer *out, const struct status_view *view)
{
    const struct ingest_counters *n = &view->ingest->counters;

    buffer_printf(out,
                  ",\"devices\":%" PRIu32 ",\"messages\":%" PRIu64 ",\"received\":%" PRIu64
                  ",\"stored\":%" PRIu64 ",\"duplicates\":%" PRIu64 ",\"rejected\":%" PRIu64
                  ",\"inFlight\":%" PRIu64 ",\"ratePerSecond\":%" PRIu64 ",\"lagMs\":%.1f",
                  view->ingest->devices->count, n->messages, n->received, n->stored, n->duplicates,
                  n->rejected, ingest_in_flight(view->ingest), view->rate, view->lag_ms);
    put_rejected_by_reason(out, n);
    board_publisher_put_sinks(view->publisher, out);
}

void status_write(struct buffer *out, const struct status_view *view)
{
    const struct settings *s = view->settings;
    char when[TIMESTAMP_TEXT_SIZE];

    buffer_printf(out, "\"state\":\"%s\",\"turn\":%" PRId64 ",", state_name(view),
                  store_turn(view->store));
    put_lack(out, view->ingest);
    board_publisher_put_span(view->publisher, out);
    buffer_put_text(out, ",\"loaded\":");
    coverage_write(view->coverage, s->collector_id, out);
    timestamp_format(when, view->started_at_us);
    buffer_printf(out, ",\"startedAt\":\"%s\",\"version\":\"" HIGHWATER_VERSION "\"", when);
    put_features(out, &s->features);
    put_words(out, &s->features, "units", unit_of);
    put_words(out, &s->features, "labels", label_of);
    put_thresholds(out, view);
    put_intervals(out, &s->intervals);
    buffer_printf(out, ",\"limit\":%" PRIu64 ",\"lowest\":%s,\"subscribe\":", s->num_top_devices,
                  s->lowest ? "true" : "false");
    json_write_string(out, s->subscriptions.text);
    put_counts(out, view);
}
