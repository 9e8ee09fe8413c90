/* topic_pattern.h: a text with names in it, such as tele/{device}/SENSOR, and what they stand for.
 *
 * Shape    {name} in a topic is a level, or what of a level is not written out; {name*}, at its end,
 *          is the rest of the topic. In another text ({plant}.{device}.{tag}) a name ends where
 *          one of the characters stands that are written beside names; one {name*} may have
 *          them. A name never stands for nothing.
 *          A topic's subscription is the same text with + and #, and may begin with $share/group/.
 * Errors   a sentence, when it is compiled.
 * Owner    parts are in the arena.
 * Source   MQTT 5.0, 4.7.
 */
#ifndef HIGHWATER_TOPIC_PATTERN_H
#define HIGHWATER_TOPIC_PATTERN_H

#include "collector/decoders/arena.h"
#include "collector/decoders/scope.h"

struct pattern_part {
    const char *literal;
    size_t bytes;
    size_t in_level; /* of the literal: what stands before its first slash */
    int name;        /* NAME_NONE: it is a literal */
    bool is_rest;
};

struct topic_pattern {
    const char *text;
    struct pattern_part *parts;
    size_t count;
    bool is_topic;
    char stops[16]; /* where a name ends */
};

/* Both add the names to `names`. NULL, or what is wrong with the text. */
const char *topic_pattern_parse(struct topic_pattern *out, struct arena *arena, struct names *names,
                                const char *text);
const char *text_pattern_parse(struct topic_pattern *out, struct arena *arena, struct names *names,
                               const char *text);

/* Sets what the pattern's names stand for, if the text fits; leaves `captures` undefined for them
 * if not. */
bool topic_pattern_match(const struct topic_pattern *pattern, const char *text, size_t bytes,
                         struct text_span *captures);

/* What is subscribed to. */
const char *topic_pattern_subscription(const struct topic_pattern *pattern, struct arena *arena);

#endif
