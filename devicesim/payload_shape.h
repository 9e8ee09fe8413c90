/* payload_shape.h: a reading as devices of other kinds send it, which only a mapping reads.
 *
 * Shape    contract  as in payload.h
 *          tasmota   {"Time":"2026-11-26T11:04:05.000001","POWER":"ON","Sensor":{"temperature":21.4,..},..}: nested, and
 *                    with a time that has no offset
 *          text      21.4: the first feature and nothing else, not even a time
 *          senml     RFC 8428: a record for each feature, and one for the status
 *          sparkplug Sparkplug B, whose topic and payload edge_nodes.h makes when the message is sent
 *          deploy/mappings/devicesim.json reads all of them.
 * Errors   none.
 * Owner    appends to the caller's buffer.
 */
#ifndef HIGHWATER_PAYLOAD_SHAPE_H
#define HIGHWATER_PAYLOAD_SHAPE_H

#include "shared/model/payload.h"

#include <stdbool.h>

enum payload_shape {
    PAYLOAD_CONTRACT,
    PAYLOAD_TASMOTA,
    PAYLOAD_TEXT,
    PAYLOAD_SENML,
    PAYLOAD_SPARKPLUG,
    PAYLOAD_SHAPES
};

#define PAYLOAD_SHAPE_LEGAL "contract, tasmota, text, senml or sparkplug"

bool payload_shape_parse(enum payload_shape *out, const char *text);

/* `seq` below 0 leaves it out; senml and text have no place for it. Nothing for sparkplug. */
void payload_write_as(struct buffer *out, enum payload_shape shape, const char *device_id,
                      const struct reading *reading, const struct features *features, int64_t seq);

#endif
