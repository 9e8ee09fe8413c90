/* rejected.h: what people do with rejected messages: look, take away, send again.
 *
 * Shape    `collector --rejected`: counts by reason and the newest, as text on standard output.
 *          With export: one JSON object per line: id, receivedAt, topic, reason, detail, and payload
 *          (a string when it is UTF-8 without NUL) or payloadBase64.
 *          With resubmit: each is published again to its topic, with a user property that says
 *          when it came first (ingest.h); what the broker acknowledges leaves the table, for the
 *          collector has it now, as a reading or rejected again. Only what was there at the start is
 *          sent: a collector that rejects all of it again would else keep it going for good.
 * Errors   a sentence on standard error and exit status 1.
 * Note     a command of its own, not part of the running collector, so it may block.
 */
#ifndef HIGHWATER_REJECTED_H
#define HIGHWATER_REJECTED_H

#include "shared/net/mqtt_link.h"

#include <stdbool.h>

struct rejected_config {
    const char *database_url;
    struct mqtt_link_config mqtt;
    const char *reason;      /* only these; NULL = all */
    const char *export_file; /* NULL = none, "-" = standard output */
    bool resubmit;
    uint64_t give_up_after_ms; /* for which neither database nor broker answers */
};

/* Returns the exit status. */
int rejected_run(const struct rejected_config *config);

#endif
