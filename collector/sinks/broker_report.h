/* broker_report.h: what the broker reports about itself under $SYS: its version, how many messages
 * it dropped, and how many it keeps.
 *
 * Shape    the latest counts; a version that needs a remark, and drops, are logged. What is kept is asked of
 *          Mosquitto only: others say nothing there, or end the connection over the question.
 * Owner    embedded; zeroed is empty, nothing to release.
 */
#ifndef HIGHWATER_BROKER_REPORT_H
#define HIGHWATER_BROKER_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BROKER_REPORT_DROPPED "$SYS/broker/publish/messages/dropped"
#define BROKER_REPORT_VERSION "$SYS/broker/version"

#define BROKER_REPORT_STORED "$SYS/broker/store/messages/count"
#define BROKER_REPORT_STORED_BYTES "$SYS/broker/store/messages/bytes"
#define BROKER_REPORT_RETAINED "$SYS/broker/retained messages/count"

/* A count that the broker may not have said. */
struct broker_count {
    uint64_t value;
    bool is_known;
};

struct broker_report {
    struct broker_count dropped;      /* messages, since the broker's start */
    struct broker_count stored;       /* messages that it keeps for clients, and retained ones; */
    struct broker_count stored_bytes; /* their payloads */
    struct broker_count retained;
};

/* A connection begins: what is kept is not known until the broker says it. */
void broker_report_begin(struct broker_report *report);

/* A value under $SYS, as it came. True when it says that this is Mosquitto. */
bool broker_report_update(struct broker_report *report, const char *topic, const void *payload,
                          size_t bytes);

#endif
