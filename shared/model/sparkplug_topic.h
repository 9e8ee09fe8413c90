/* sparkplug_topic.h: what a topic of the Sparkplug namespace says.
 *
 * Shape    spBv1.0/GROUP/KIND/EDGE or spBv1.0/GROUP/KIND/EDGE/DEVICE; kinds that begin with N are of an edge
 *          node, those that begin with D of a device behind it. spBv1.0/STATE/HOST is a host's own.
 * Errors   SPARKPLUG_NO_TOPIC for everything else.
 * Owner    the parts point into the topic.
 * Source   Eclipse Sparkplug 3.0, chapter 4.
 */
#ifndef HIGHWATER_SPARKPLUG_TOPIC_H
#define HIGHWATER_SPARKPLUG_TOPIC_H

#include "shared/model/sparkplug_payload.h"

#define SPARKPLUG_NAMESPACE "spBv1.0"
#define SPARKPLUG_REBIRTH "Node Control/Rebirth"

enum sparkplug_message_kind {
    SPARKPLUG_NO_TOPIC,
    SPARKPLUG_NBIRTH,
    SPARKPLUG_NDATA,
    SPARKPLUG_NDEATH,
    SPARKPLUG_NCMD,
    SPARKPLUG_DBIRTH,
    SPARKPLUG_DDATA,
    SPARKPLUG_DDEATH,
    SPARKPLUG_DCMD,
    SPARKPLUG_STATE
};

struct sparkplug_topic {
    enum sparkplug_message_kind kind;
    struct sparkplug_text group;
    struct sparkplug_text edge;
    struct sparkplug_text device; /* "" for the node itself */
};

struct sparkplug_topic sparkplug_topic_parse(const char *topic);

/* "DDATA" */
const char *sparkplug_kind_text(enum sparkplug_message_kind kind);

#endif
