#include "collector/sinks/broker_report.h"

#include "collector/sinks/sys_topics.h"
#include "shared/base/log.h"

#include <inttypes.h>
#include <string.h>

static void check_version(const struct sys_version *version)
{
    if (version->major < 2 || (version->major == 2 && version->minor == 0 && version->patch < 13))
        log_info("preflight: broker %u.%u.%u sends more than the receive maximum allows (fixed in "
                 "2.0.13); harmless here, memory is bounded by not reading",
                 version->major, version->minor, version->patch);
}

/* The broker drops without telling sender or receiver; this count is all there is. */
static void update_dropped(struct broker_report *report, uint64_t dropped)
{
    if (report->dropped.is_known && dropped > report->dropped.value)
        log_error("the broker dropped %" PRIu64 " messages: a queue is full; raise "
                  "max_queued_messages (0 = no limit) or max_queued_bytes in mosquitto.conf",
                  dropped - report->dropped.value);
    report->dropped = (struct broker_count){dropped, true};
}

void broker_report_begin(struct broker_report *report)
{
    report->stored = report->stored_bytes = report->retained = (struct broker_count){0};
}

static struct broker_count *find_count(struct broker_report *report, const char *topic)
{
    if (strcmp(topic, BROKER_REPORT_STORED) == 0)
        return &report->stored;
    if (strcmp(topic, BROKER_REPORT_STORED_BYTES) == 0)
        return &report->stored_bytes;
    if (strcmp(topic, BROKER_REPORT_RETAINED) == 0)
        return &report->retained;
    return NULL;
}

bool broker_report_update(struct broker_report *report, const char *topic, const void *payload,
                          size_t bytes)
{
    struct sys_version version;
    struct broker_count *kept = find_count(report, topic);
    uint64_t count;

    if (strcmp(topic, BROKER_REPORT_VERSION) == 0) {
        if (!sys_parse_version(&version, payload, bytes))
            return false;
        check_version(&version);
        return true;
    }
    if (!sys_parse_count(&count, payload, bytes))
        return false;
    if (strcmp(topic, BROKER_REPORT_DROPPED) == 0)
        update_dropped(report, count);
    else if (kept)
        *kept = (struct broker_count){count, true};
    return false;
}
