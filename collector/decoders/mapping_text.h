/* mapping_text.h: the text of a file of mappings while it is compiled: keys, texts, and where they stand.
 *
 * Shape    struct mapping_text is handed through all that compiles; it knows the keys that lead to what
 *          is read just now.
 * Errors   false; the first sentence stays.
 * Owner    texts are copied into the arena of the mappings.
 */
#ifndef HIGHWATER_MAPPING_TEXT_H
#define HIGHWATER_MAPPING_TEXT_H

#include "collector/decoders/mapping_file.h"

enum { MAPPING_KEYS_MAX = 24, MAPPING_PATH_MAX = 8 };

struct mapping_text {
    struct mappings *out;
    const char *text;
    char *error;
    mapping_zone_fn load_zone;
    struct json_token path[MAPPING_PATH_MAX];
    size_t depth;
};

struct mapping_key {
    const char *name;
    struct json_token value; /* its text is NULL when it does not stand there */
};

/* Makes spaces of comments. False, with where, when one has no end. */
bool mapping_text_strip(char *text, size_t bytes, size_t *at);

size_t mapping_text_line(const struct mapping_text *text, const char *at);

/* "line 12, rules.features.temperature: ..." */
bool mapping_text_fail(struct mapping_text *text, const struct json_token *at, const char *format,
                       ...) __attribute__((format(printf, 3, 4)));

void mapping_text_enter(struct mapping_text *text, const struct json_token *key);
void mapping_text_leave(struct mapping_text *text);

/* Fills the values of an object's keys, the last of which has no name. */
bool mapping_text_keys(struct mapping_text *text, const struct json_token *object,
                       struct mapping_key *keys);

/* The parts of an object or array; false when it is of another kind, or an object has a name twice. */
bool mapping_text_count(struct mapping_text *text, const struct json_token *container,
                        enum json_kind kind, size_t *count);

bool mapping_text_string(struct mapping_text *text, const struct json_token *token,
                         const char **out);

/* A string, a number or a boolean, as text. */
bool mapping_text_scalar(struct mapping_text *text, const struct json_token *token,
                         const char **out);

bool mapping_text_number(struct mapping_text *text, const struct json_token *token, double *out);

/* Takes what a unit and a label say for people of a feature, which is the same wherever it is said; NULL: they
 * stand where no feature is. */
bool mapping_text_words(struct mapping_text *text, const struct mapping_key *unit,
                        const struct mapping_key *label, struct mapped_feature *said);

/* One or a list of them. */
bool mapping_text_list(struct mapping_text *text, const struct json_token *token,
                       struct text_list *out);

#endif
