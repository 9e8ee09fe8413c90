/* trim.h: a line without what stands around it.
 *
 * Shape    any of `blanks` is cut off both ends, in place; returns the first byte that stays, in `text`.
 */
#ifndef HIGHWATER_TRIM_H
#define HIGHWATER_TRIM_H

char *trim(char *text, const char *blanks);

#endif
