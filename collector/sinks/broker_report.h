/* broker_report.h: what the broker reports about itself under $SYS: its version, and how many messages
 * it dropped.
 *
 * Shape    the latest count; a version that needs a remark, and a count that grows, are logged.
 * Owner    embedded; zeroed is empty, nothing to release.
 */
#ifndef HIGHWATER_BROKER_REPORT_H
#define HIGHWATER_BROKER_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BROKER_REPORT_DROPPED "$SYS/broker/publish/messages/dropped"
#define BROKER_REPORT_VERSION "$SYS/broker/version"

struct broker_report {
    uint64_t dropped; /* messages, since the broker's start */
    bool knows_dropped;
};

/* A value under $SYS, as it came. */
void broker_report_update(struct broker_report *report, const char *topic, const void *payload,
                          size_t bytes);

#endif
