/* edge_payload.h: what a Sparkplug edge node says, as bytes.
 *
 * Shape    a device has a metric for each feature and "Properties/Status"; their aliases are one's own over
 *          the whole node, as the specification wants it. A birth says names, aliases and types, and no
 *          values, so that it is no reading; data have aliases, values, and the reading's time in each metric.
 * Units    milliseconds since 1970; a reading's microseconds are cut off.
 * Errors   none.
 * Owner    appends to the caller's buffer.
 * Source   Eclipse Sparkplug 3.0, chapter 6; shared/model/sparkplug_payload.h writes it.
 */
#ifndef HIGHWATER_EDGE_PAYLOAD_H
#define HIGHWATER_EDGE_PAYLOAD_H

#include "shared/base/buffer.h"
#include "shared/model/features.h"
#include "shared/model/reading.h"

#include <stdbool.h>
#include <stdint.h>

#define EDGE_STATUS_METRIC "Properties/Status"

void edge_payload_node_birth(struct buffer *out, uint8_t bd_seq, int64_t now_ms);
void edge_payload_node_death(struct buffer *out, uint8_t bd_seq);

/* `place` is the device's among those of its node. */
void edge_payload_birth(struct buffer *out, uint8_t seq, int64_t now_ms, uint32_t place,
                        const struct features *features);
void edge_payload_data(struct buffer *out, uint8_t seq, int64_t now_ms, uint32_t place,
                       const struct reading *reading, const struct features *features,
                       bool is_historical);

/* Whether that is a command to be born again. */
bool edge_payload_is_rebirth(const void *data, size_t bytes);

#endif
