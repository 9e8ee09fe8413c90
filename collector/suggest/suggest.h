/* suggest.h: a first file of mappings, made of what was heard.
 *
 * Shape    a mapping for each kind of topic that has something to store, the most specific first; then, as
 *          comments, what is not used and why. It is meant to be read and corrected: every guess shows the
 *          value that it was made of.
 * Errors   false when there is no mapping in it.
 */
#ifndef HIGHWATER_SUGGEST_SUGGEST_H
#define HIGHWATER_SUGGEST_SUGGEST_H

#include "collector/suggest/heard.h"
#include "shared/base/buffer.h"

/* Sorts what was heard. What is put out compiles (mapping_file.h) when the outcome is true. */
bool suggest_write(struct buffer *out, struct heard_messages *heard);

#endif
