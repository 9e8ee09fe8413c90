#include "devicesim/report.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { BAR_CELLS_MAX = 30, BAR_CELLS_LEAST = 5 };

uint64_t report_outstanding(const struct report *report)
{
    return report->sent - report->acked - report->refused;
}

static double seconds(int64_t from_us, int64_t to_us)
{
    return to_us > from_us ? (double)(to_us - from_us) / 1e6 : 0;
}

/* Over the time from the first message to the last answer: connecting is left out. */
static double acked_per_s(const struct report *report)
{
    double took = seconds(report->first_us, report->last_us);

    return took > 0 ? (double)report->acked / took : 0;
}

/* 87us, 1.2ms, 350ms, 2.4s */
static void put_duration(struct buffer *out, uint64_t us)
{
    if (us < 1000)
        buffer_printf(out, "%" PRIu64 "us", us);
    else if (us < 1000000)
        buffer_printf(out, "%.*fms", us < 100000 ? 1 : 0, (double)us / 1e3);
    else
        buffer_printf(out, "%.*fs", us < 100000000 ? 1 : 0, (double)us / 1e6);
}

static void put_bar(struct buffer *out, double progress, size_t cells)
{
    size_t full = (size_t)(progress * (double)cells);

    buffer_put_text(out, " [");
    for (size_t i = 0; i < cells; i++)
        buffer_put_text(out, i < full ? "#" : ".");
    buffer_put_text(out, "]");
}

static void put_time_left(struct buffer *out, double done_s, double progress)
{
    double left = progress > 0 ? done_s / progress - done_s : 0;

    if (progress > 0.01 && progress < 1)
        buffer_printf(out, " %.0f:%02.0f left", left / 60 - 0.5 > 0 ? (double)(int)(left / 60) : 0,
                      left - 60 * (double)(int)(left / 60));
}

void report_live(struct report *report, struct buffer *out, int64_t now_us, double progress,
                 unsigned columns)
{
    int64_t since_us = report->live_us ? report->live_us : report->start_us;
    double took = seconds(since_us, now_us);
    size_t start = out->bytes;
    size_t used;

    if (progress >= 0)
        buffer_printf(out, "%5.1f %%", progress * 100);
    if (report->up < report->connections)
        buffer_printf(out, "  %" PRIu64 " of %" PRIu64 " up", report->up, report->connections);
    buffer_printf(out, "  %.0f/s",
                  took > 0 ? (double)(report->sent - report->live_sent) / took : 0);
    buffer_printf(out, "  %" PRIu64 " acked  %" PRIu64 " out", report->acked,
                  report_outstanding(report));
    if (report->ack_us.count) {
        buffer_put_text(out, "  p50 ");
        put_duration(out, histogram_quantile(&report->ack_us, 0.5));
        buffer_put_text(out, "  p99 ");
        put_duration(out, histogram_quantile(&report->ack_us, 0.99));
    }
    if (progress >= 0)
        put_time_left(out, seconds(report->start_us, now_us), progress);
    used = out->bytes - start;
    if (progress >= 0 && used + BAR_CELLS_LEAST + 3 < columns) {
        size_t room = columns - used - 4;

        put_bar(out, progress, room < BAR_CELLS_MAX ? room : BAR_CELLS_MAX);
    } else if (used >= columns && columns > 0) {
        out->bytes = start + columns - 1;
    }
    report->live_us = now_us;
    report->live_sent = report->sent;
}

static void put_quantiles(struct buffer *out, const struct histogram *histogram)
{
    static const struct {
        const char *name;
        double share;
    } quantiles[] = {{"p50", 0.5}, {"p95", 0.95}, {"p99", 0.99}};

    for (size_t i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]); i++) {
        buffer_printf(out, "%s ", quantiles[i].name);
        put_duration(out, histogram_quantile(histogram, quantiles[i].share));
        buffer_put_text(out, ", ");
    }
    buffer_put_text(out, "max ");
    put_duration(out, histogram->max);
    buffer_printf(out, " (%" PRIu64 " measured)\n", histogram->count);
}

/* MQTT 5.0, section 3.4.2.1. */
static const char *reason_text(int code)
{
    static const struct {
        int code;
        const char *text;
    } reasons[] = {{0x80, "unspecified"},    {0x83, "implementation specific"},
                   {0x87, "not authorized"}, {0x90, "topic name invalid"},
                   {0x97, "quota exceeded"}, {0x99, "payload format invalid"}};

    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        if (reasons[i].code == code)
            return reasons[i].text;
    }
    return "a reason that MQTT does not name";
}

const char *report_refusal(const struct report *report, char *out)
{
    if (report->refusal)
        snprintf(out, REPORT_REFUSAL_SIZE, "the broker acknowledged them with 0x%02x, %s",
                 (unsigned)report->refusal, reason_text(report->refusal));
    else
        snprintf(out, REPORT_REFUSAL_SIZE,
                 "by what the broker said when we connected, it takes no QoS %d, or no message as "
                 "large, or the connection was gone",
                 report->qos);
    return out;
}

void report_text(const struct report *report, struct buffer *out, int64_t now_us)
{
    buffer_printf(out,
                  "sent       %" PRIu64 " messages in %.1f s, %" PRIu64 " readings among them, "
                  "over %" PRIu64 " connections\n",
                  report->sent, seconds(report->start_us, now_us), report->readings,
                  report->connections);
    buffer_printf(out, "%-10s %" PRIu64 ", %.0f/s; %" PRIu64 " refused, %" PRIu64 " unanswered\n",
                  report->qos ? "acked" : "written", report->acked, acked_per_s(report),
                  report->refused, report_outstanding(report));
    if (report->ack_us.count) {
        buffer_put_text(out, report->qos ? "to PUBACK  " : "to socket  ");
        put_quantiles(out, &report->ack_us);
    }
    if (report->wants_visible) {
        buffer_put_text(out, "to a board ");
        put_quantiles(out, &report->visible_us);
    }
    if (report->unheard)
        buffer_printf(out,
                      "unheard    %" PRIu64 ": the broker said that nobody subscribes to them\n",
                      report->unheard);
    if (report->reconnects)
        buffer_printf(out, "reconnects %" PRIu64 "\n", report->reconnects);
    if (report->slipped_us > 0)
        buffer_printf(out, "slipped    the rate could not be kept for %.1f s\n",
                      (double)report->slipped_us / 1e6);
    for (int fault = 0; fault < FAULT_COUNT; fault++) {
        if (report->faults[fault])
            buffer_printf(out, "%-10s %" PRIu64 "\n", fault_name((enum fault)fault),
                          report->faults[fault]);
    }
    buffer_printf(out, "seed       %" PRIu64 "\n", report->seed);
}

static void put_histogram_json(struct buffer *out, const char *name,
                               const struct histogram *histogram)
{
    buffer_printf(out,
                  ",\"%s\":{\"count\":%" PRIu64 ",\"mean\":%.1f,\"p50\":%" PRIu64
                  ",\"p95\":%" PRIu64 ",\"p99\":%" PRIu64 ",\"max\":%" PRIu64 "}",
                  name, histogram->count, histogram_mean(histogram),
                  histogram_quantile(histogram, 0.5), histogram_quantile(histogram, 0.95),
                  histogram_quantile(histogram, 0.99), histogram->max);
}

static void put_count(struct buffer *out, const char *name, uint64_t count)
{
    buffer_printf(out, ",\"%s\":%" PRIu64, name, count);
}

void report_json(const struct report *report, struct buffer *out, int64_t now_us)
{
    const char *comma = "";

    buffer_printf(out, "{\"seed\":%" PRIu64, report->seed);
    buffer_printf(out, ",\"seconds\":%.6f", seconds(report->start_us, now_us));
    buffer_printf(out, ",\"busySeconds\":%.6f", seconds(report->first_us, report->last_us));
    put_count(out, "qos", (uint64_t)report->qos);
    put_count(out, "connections", report->connections);
    put_count(out, "reconnects", report->reconnects);
    put_count(out, "readings", report->readings);
    put_count(out, "sent", report->sent);
    put_count(out, "acked", report->acked);
    put_count(out, "unheard", report->unheard);
    put_count(out, "refused", report->refused);
    put_count(out, "unanswered", report_outstanding(report));
    buffer_printf(out, ",\"ackedPerSecond\":%.1f", acked_per_s(report));
    buffer_printf(out, ",\"slippedSeconds\":%.6f", (double)report->slipped_us / 1e6);
    put_histogram_json(out, "pubackMicroseconds", &report->ack_us);
    if (report->wants_visible)
        put_histogram_json(out, "visibleMicroseconds", &report->visible_us);
    buffer_put_text(out, ",\"faults\":{");
    for (int fault = 0; fault < FAULT_COUNT; fault++) {
        buffer_printf(out, "%s\"%s\":%" PRIu64, fault ? "," : "", fault_name((enum fault)fault),
                      report->faults[fault]);
    }
    put_count(out, "oversized_accepted", report->oversized_accepted);
    buffer_put_text(out, "},\"malformed\":{");
    for (size_t i = 0; i < malformed_count(); i++) {
        if (!report->malformed[i])
            continue;
        buffer_printf(out, "%s\"%s\":%" PRIu64, comma, malformed_class(i)->name,
                      report->malformed[i]);
        comma = ",";
    }
    buffer_put_text(out, "}}\n");
}
