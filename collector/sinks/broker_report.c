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
    if (report->knows_dropped && dropped > report->dropped)
        log_error("the broker dropped %" PRIu64 " messages: a queue is full; raise "
                  "max_queued_messages (0 = no limit) or max_queued_bytes in mosquitto.conf",
                  dropped - report->dropped);
    report->knows_dropped = true;
    report->dropped = dropped;
}

void broker_report_update(struct broker_report *report, const char *topic, const void *payload,
                          size_t bytes)
{
    struct sys_version version;
    uint64_t count;

    if (strcmp(topic, BROKER_REPORT_VERSION) == 0 && sys_parse_version(&version, payload, bytes))
        check_version(&version);
    else if (strcmp(topic, BROKER_REPORT_DROPPED) == 0 && sys_parse_count(&count, payload, bytes))
        update_dropped(report, count);
}
