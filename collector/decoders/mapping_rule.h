/* mapping_rule.h: one rule of a file of mappings, compiled.
 *
 * Errors   false, with a sentence in the text's error.
 */
#ifndef HIGHWATER_MAPPING_RULE_H
#define HIGHWATER_MAPPING_RULE_H

#include "collector/decoders/mapping_text.h"

enum {
    RULE_EACH,
    RULE_MATCH,
    RULE_WHEN,
    RULE_DEVICE,
    RULE_TIME,
    RULE_SEQ,
    RULE_STATUS,
    RULE_FEATURES,
    RULE_FEATURE,
    RULE_ABOUT,
    RULE_KEYS
};

#define MAPPING_RULE_KEYS                                                                          \
    {"each", {0}}, {"match", {0}}, {"when", {0}}, {"device", {0}}, {"time", {0}}, {"seq", {0}},    \
        {"status", {0}}, {"features", {0}}, {"feature", {0}},                                      \
    {                                                                                              \
        "about", {0}                                                                               \
    }

/* A pointer of a rule; the places of the rule are to be released even when it is false. */
bool mapping_rule_compile(struct mapping_text *text, const struct names *names,
                          const struct json_token *object, const struct mapping_key *keys,
                          struct mapping_rule *out);

#endif
