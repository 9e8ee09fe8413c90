/* mapping_sparkplug.h: the payload kind `sparkplug`: what a mapping makes of what sparkplug.h understands.
 *
 * Shape    births and data become JSON, and rules read it as they read any. A death gives, without a rule for
 *          it, the status INACTIVE to the device it is of, and that of a node to all that live behind it:
 *          under the name that the mapping's first rule gives by the topic, whatever `only` says.
 * Topics   the state needs births as well as data, and of the node as well as of its devices. So the kind must be
 *          a name in the pattern, and for a pattern of devices that of their node is subscribed to, too.
 */
#ifndef HIGHWATER_MAPPING_SPARKPLUG_H
#define HIGHWATER_MAPPING_SPARKPLUG_H

#include "collector/decoders/mapping.h"

/* NULL, or what is wrong with such a topic in a mapping. */
const char *mapping_sparkplug_fault(const char *topic);

/* The topic of the node for one of its devices, in the arena; NULL for all others. */
const char *mapping_sparkplug_node(const char *topic, struct arena *arena);

/* True for a message that the state has to see, whether a mapping wants it or not. */
bool mapping_sparkplug_is_meant(const struct mapping_run *run, const char *topic);

/* Of the message on that topic: DECODER_READ when there is JSON in run->json to be read by the rules; otherwise
 * `is_done`, and the outcome is the message's. `wanted` is what the mappings say of the topic. */
enum decoder_outcome mapping_sparkplug_begin(struct mapping_run *run, enum decoder_outcome wanted,
                                             const char *topic, const char *payload, size_t bytes,
                                             bool *is_done);

#endif
