/* invisible.h: characters of which an id must have none, for they cannot be seen.
 *
 * Why      two ids that look alike would be two devices: U+200B stands between any two letters
 *          unseen, U+202E makes "a<U+202E>1_b" look like "ab_1".
 * Shape    of Unicode: format characters (category Cf), line and paragraph separators (Zl, Zp),
 *          whatever is ignorable by default (fillers and selectors, assigned or reserved), and
 *          noncharacters. Control characters are refused where ids are read. Legal are those that
 *          are not assigned yet, which may be tomorrow's letters, and private use: its users
 *          have a font for it. Letters that look alike, as Latin a and Cyrillic a, are letters.
 * Errors   none.
 * Source   Unicode 16.0: UnicodeData.txt; DerivedCoreProperties.txt, Default_Ignorable_Code_Point.
 *          tests/system/test_ids.py holds all of it against Python's.
 */
#ifndef HIGHWATER_INVISIBLE_H
#define HIGHWATER_INVISIBLE_H

#include <stdbool.h>
#include <stdint.h>

bool invisible_is(uint32_t code_point);

#endif
