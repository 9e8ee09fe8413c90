#include "devicesim/verdict.h"

#include "shared/base/log.h"
#include "shared/base/timestamp.h"

#include <inttypes.h>
#include <string.h>

void verdict_start(struct verdict *verdict, struct ledger *ledger, FILE *examples)
{
    *verdict = (struct verdict){.ledger = ledger, .examples = examples};
    ledger_clear_found(ledger);
}

/* ---- examples ------------------------------------------------------------------------------- */

static bool wants_example(struct verdict *verdict)
{
    return verdict->examples && verdict->examples_told++ < VERDICT_EXAMPLES_MAX;
}

static void show_reading(struct verdict *verdict, const char *what, const char *device,
                         int64_t recorded_at_us, const char *more)
{
    char when[TIMESTAMP_TEXT_SIZE];
    char id[128];

    if (!wants_example(verdict))
        return;
    timestamp_format(when, recorded_at_us);
    fprintf(verdict->examples, "%s: %s at %s%s\n", what,
            log_escaped(id, sizeof(id), device, strlen(device)), when, more);
}

static void show_rejection(struct verdict *verdict, const char *what, const char *device,
                           uint32_t bytes, const char *head)
{
    char id[128];

    if (!wants_example(verdict))
        return;
    fprintf(verdict->examples,
            "%s among the rejected messages: of %s, %" PRIu32 " bytes, in hexadecimal %.60s\n",
            what, log_escaped(id, sizeof(id), device, strlen(device)), bytes, head);
}

/* ---- what the store has --------------------------------------------------------------------- */

void verdict_add_row(struct verdict *verdict, const struct verdict_row *row)
{
    struct ledger *ledger = verdict->ledger;
    uint32_t device = string_table_find(&ledger->devices, row->device_id);
    uint32_t found = LEDGER_NONE;

    if (device != STRING_TABLE_NONE)
        found = ledger_find_reading(ledger, device, row->recorded_at_us, row->status, row->values);
    if (found != LEDGER_NONE) {
        verdict->readings.found++;
        ledger->readings[found].counts.found++;
    } else if (device != STRING_TABLE_NONE &&
               ledger_takes_death(ledger, device, row->status, row->values)) {
        verdict->deaths++;
    } else if (ledger_claims_reading(ledger, row->recorded_at_us, row->received_at_us)) {
        verdict->readings.found++;
        verdict->readings.unexpected++;
        show_reading(verdict, "unexpected", row->device_id, row->recorded_at_us,
                     ": a row that was not sent");
    } else {
        verdict->readings.others++;
    }
}

void verdict_add_rejection(struct verdict *verdict, const struct verdict_rejection *rejection)
{
    struct ledger *ledger = verdict->ledger;
    uint32_t device = string_table_find(&ledger->devices, rejection->device_id);
    uint32_t found;

    if (!ledger_claims_rejection(ledger, rejection->received_at_us)) {
        verdict->rejections.others++;
        return;
    }
    found = ledger_find_rejection(ledger, device, rejection->bytes, rejection->head);
    verdict->rejections.found++;
    if (found == LEDGER_NONE) {
        verdict->rejections.unexpected++;
        show_rejection(verdict, "unexpected", rejection->device_id, rejection->bytes,
                       rejection->head);
    } else {
        ledger->rejections[found].counts.found++;
    }
}

/* ---- what it does not have ------------------------------------------------------------------ */

static void add_counts(struct verdict_counts *sum, const struct ledger_counts *counts)
{
    sum->sent += counts->sent;
    sum->acked += counts->acked;
    sum->unheard += counts->unheard;
}

static void count_lost_readings(struct verdict *verdict)
{
    const struct ledger *ledger = verdict->ledger;

    verdict->examples_told = 0;
    for (uint32_t i = 0; i < ledger->reading_count; i++) {
        const struct ledger_reading *reading = &ledger->readings[i];

        add_counts(&verdict->readings, &reading->counts);
        if (ledger_reading_is_lost(ledger, i)) {
            verdict->readings.lost++;
            show_reading(verdict, "lost", ledger->devices.texts[reading->device],
                         reading->recorded_at_us, ": acknowledged and not stored");
        }
    }
}

static void count_doubled_readings(struct verdict *verdict)
{
    const struct ledger *ledger = verdict->ledger;

    verdict->examples_told = 0;
    for (uint32_t i = 0; i < ledger->reading_count; i++) {
        const struct ledger_reading *reading = &ledger->readings[i];

        if (reading->counts.found > 1) {
            verdict->readings.doubled += reading->counts.found - 1;
            show_reading(verdict, "doubled", ledger->devices.texts[reading->device],
                         reading->recorded_at_us, ": more than one row");
        }
    }
}

static void count_lost_rejections(struct verdict *verdict)
{
    const struct ledger *ledger = verdict->ledger;

    verdict->examples_told = 0;
    for (uint32_t i = 0; i < ledger->rejection_count; i++) {
        const struct ledger_rejection *rejection = &ledger->rejections[i];

        if (rejection->is_either)
            continue; /* its messages count as readings */
        add_counts(&verdict->rejections, &rejection->counts);
        if (ledger_rejection_is_lost(ledger, i)) {
            verdict->rejections.lost += rejection->counts.acked - rejection->counts.found;
            show_rejection(verdict, "lost", ledger->devices.texts[rejection->device],
                           rejection->bytes, (const char *)ledger->heads.data + rejection->head);
        }
    }
}

void verdict_conclude(struct verdict *verdict)
{
    count_lost_readings(verdict);
    count_doubled_readings(verdict);
    count_lost_rejections(verdict);
}

/* ---- telling -------------------------------------------------------------------------------- */

uint64_t verdict_mismatches(const struct verdict *verdict)
{
    return verdict->readings.lost + verdict->readings.doubled + verdict->readings.unexpected +
           verdict->rejections.lost + verdict->rejections.unexpected;
}

static void put_counts(struct buffer *out, const char *name, const struct verdict_counts *counts,
                       const char *found)
{
    buffer_printf(out, "%-10s %" PRIu64 " sent, %" PRIu64 " acknowledged, %" PRIu64 " %s\n", name,
                  counts->sent, counts->acked, counts->found, found);
}

void verdict_put_text(const struct verdict *verdict, struct buffer *out)
{
    const struct verdict_counts *readings = &verdict->readings;
    const struct verdict_counts *rejections = &verdict->rejections;

    put_counts(out, "readings", readings, "rows");
    if (rejections->sent || rejections->found)
        put_counts(out, "malformed", rejections, "rejected messages");
    if (readings->unheard)
        buffer_printf(out,
                      "unheard    %" PRIu64 " (the broker said that nobody subscribed to them)\n",
                      readings->unheard);
    if (readings->others + rejections->others)
        buffer_printf(out,
                      "others     %" PRIu64
                      " (of the same devices, and not of the time of this record)\n",
                      readings->others + rejections->others);
    if (verdict->deaths)
        buffer_printf(out,
                      "deaths     %" PRIu64
                      " (INACTIVE when a Sparkplug device was gone; nobody sends that)\n",
                      verdict->deaths);
    buffer_printf(out, "lost       %" PRIu64 "\ndoubled    %" PRIu64 "\nunexpected %" PRIu64 "\n",
                  readings->lost + rejections->lost, readings->doubled,
                  readings->unexpected + rejections->unexpected);
}

void verdict_put_json(const struct verdict *verdict, struct buffer *out)
{
    const struct verdict_counts *readings = &verdict->readings;
    const struct verdict_counts *rejections = &verdict->rejections;

    buffer_printf(out,
                  "{\"lost\":%" PRIu64 ",\"doubled\":%" PRIu64 ",\"unexpected\":%" PRIu64
                  ",\"others\":%" PRIu64 ",\"deaths\":%" PRIu64,
                  readings->lost + rejections->lost, readings->doubled,
                  readings->unexpected + rejections->unexpected,
                  readings->others + rejections->others, verdict->deaths);
    buffer_printf(out,
                  ",\"readings\":{\"sent\":%" PRIu64 ",\"acked\":%" PRIu64 ",\"unheard\":%" PRIu64
                  ",\"rows\":%" PRIu64 ",\"distinct\":%" PRIu32 "}",
                  readings->sent, readings->acked, readings->unheard, readings->found,
                  verdict->ledger->reading_count);
    buffer_printf(
        out, ",\"rejected\":{\"sent\":%" PRIu64 ",\"acked\":%" PRIu64 ",\"rows\":%" PRIu64 "}}\n",
        rejections->sent, rejections->acked, rejections->found);
}
