/* families.h: the topics of devices that many have, of which is known what their levels mean.
 *
 * Shape    a pattern as a mapping has it: {device}, {feature}, {rest*} and other names. A file of
 *          deploy/mappings that says more about them.
 */
#ifndef HIGHWATER_SUGGEST_FAMILIES_H
#define HIGHWATER_SUGGEST_FAMILIES_H

#include <stdbool.h>

struct family {
    const char *pattern;
    const char *called;
    const char *file;
    bool is_ignored; /* whatever is in the payload, it is no reading */
    bool is_sparkplug;
};

/* NULL when no family has such a topic. */
const struct family *family_of(const char *topic);

#endif
