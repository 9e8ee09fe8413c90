/* feature_words.h: what people read of a feature: its unit, and what it is called.
 *
 * Shape    temperature[°C], temperature[°C|Outdoor temperature], temperature[|Outdoor temperature]:
 *          the unit up to the first |, the label after it. A comma in brackets divides nothing.
 * Legal    UTF-8 without control or invisible characters (invisible.h) and without [, ] and |; blanks
 *          at its ends are no part of it.
 * Errors   false, with a sentence in `error` that names the value and what is legal.
 * Owner    what is said is copied into the struct features.
 */
#ifndef HIGHWATER_FEATURE_WORDS_H
#define HIGHWATER_FEATURE_WORDS_H

#include "shared/model/features.h"

#define FEATURE_UNIT_LEGAL                                                                         \
    "1 to 24 bytes of UTF-8 without control or invisible characters, [, ] and |"
#define FEATURE_LABEL_LEGAL                                                                        \
    "1 to 80 bytes of UTF-8 without control or invisible characters, [, ] and |"

bool feature_unit_is_legal(const char *text, size_t bytes);
bool feature_label_is_legal(const char *text, size_t bytes);

/* How long the first item of a list is: up to a comma outside of brackets, or to its end. */
size_t feature_item_bytes(const char *list);

/* What stands in an item behind its name: nothing, or brackets and their content. */
bool feature_words_parse(struct features *out, size_t feature, const char *text, size_t bytes,
                         char *error, size_t error_bytes);

/* Takes what is legal where nothing was said before; NULL and "" say nothing. */
void feature_words_add(struct features *out, size_t feature, const char *unit, const char *label);

#endif
