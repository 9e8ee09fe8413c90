/* mapping_try.h: a mapping tried without a broker: what a payload on a topic comes to.
 *
 * Shape    a line of JSON for each reading, with what it carries and no more; "timestamp":"arrival" where
 *          the device says none; {"deviceId":..,"about":{..}} for what a device is called, null when that is taken
 *          back. {"rejected":"no_value","detail":"..."} for a message that would be kept
 *          as rejected, {"ignored":"says_none"} for one that would only be counted.
 *          With `topics` instead: what would be subscribed to, a line each.
 * Errors   the exit status: 0, or 1 when the message is rejected.
 */
#ifndef HIGHWATER_MAPPING_TRY_H
#define HIGHWATER_MAPPING_TRY_H

#include "collector/decoders/mapping_file.h"

struct mapping_try_config {
    const struct mappings *mappings;
    const struct reading_rules *rules;
    const char *topic; /* NULL: the subscriptions */
    int64_t now_us;
};

/* Of standard input, onto standard output. */
int mapping_try_run(const struct mapping_try_config *config);

/* Appends the lines. True unless the message is rejected. */
bool mapping_try_message(struct buffer *out, const struct mappings *mappings,
                         const struct reading_rules *rules, int64_t now_us, const char *topic,
                         const char *payload, size_t bytes);

/* The topic filters, a line each. */
bool mapping_try_topics(struct buffer *out, const struct mappings *mappings);

#endif
