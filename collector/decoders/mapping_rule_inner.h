/* mapping_rule_inner.h: what mapping_rule.c and mapping_rule_about.c share and nobody else needs.
 *
 * Errors   false, with a sentence in the text's error.
 */
#ifndef HIGHWATER_MAPPING_RULE_INNER_H
#define HIGHWATER_MAPPING_RULE_INNER_H

#include "collector/decoders/mapping_text.h"

struct rule {
    struct mapping_text *text;
    struct arena *arena;
    struct names names; /* of the topic and of match */
    struct mapping_rule *out;
};

/* mapping_rule.c */
bool mapping_rule_place(struct rule *rule, const struct json_token *token, struct place *out);
bool mapping_rule_template(struct rule *rule, const struct json_token *token, struct template *out);

/* Of no feature. */
bool mapping_rule_number(struct rule *rule, const struct json_token *token,
                         struct number_rule *out);

/* mapping_rule_about.c: what stands at "about". */
bool mapping_rule_about(struct rule *rule, const struct json_token *token);

#endif
