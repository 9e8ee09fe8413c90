/* draft_inner.h: what draft.c and the files of each kind of payload share and nobody else needs.
 *
 * Files    draft.c (texts, statuses, the frame of a mapping), draft_json.c (objects and lists), draft_senml.c,
 *          draft_sparkplug.c.
 */
#ifndef HIGHWATER_SUGGEST_DRAFT_INNER_H
#define HIGHWATER_SUGGEST_DRAFT_INNER_H

#include "collector/suggest/draft.h"
#include "collector/suggest/sheet.h"
#include "collector/suggest/words.h"

/* draft.c: "device", where it is not {device} itself. */
void draft_put_device(struct sheet *sheet, const struct draft *draft);

/* "ON": "ON", "OFF": "OFF" of the pairs that the words are of. */
struct draft_words {
    const struct word_status *pairs[8];
    size_t count;
    bool of_presence; /* true is ACTIVE, and not ON */
};
void draft_note_word(struct draft_words *words, const char *text, size_t bytes);
void draft_put_words(struct buffer *out, const struct draft_words *words);

/* Fill the sheet; false when there is nothing to be stored. */
bool draft_json(struct sheet *sheet, struct draft *draft, struct feature_names *names);
bool draft_senml(struct sheet *sheet, struct draft *draft, struct feature_names *names);
bool draft_sparkplug(struct sheet *sheet, struct draft *draft, struct feature_names *names);

#endif
