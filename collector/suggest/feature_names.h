/* feature_names.h: what features are called that a device calls otherwise.
 *
 * Shape    the last name of a pointer, its unit and capitals kept where they say something (battery_mV), in
 *          lower case where they do not (Temperature, CO2); with the names before it where that would be the
 *          same as another one's, or says nothing (total, value).
 * Bounds   FEATURES_MAX in all, of which some are kept for the groups that are still to come, or one wide
 *          device would take them all; what is one too many is counted.
 */
#ifndef HIGHWATER_SUGGEST_FEATURE_NAMES_H
#define HIGHWATER_SUGGEST_FEATURE_NAMES_H

#include "shared/model/features.h"

struct feature_names {
    struct features all;  /* of the file */
    struct features here; /* of the rule: none twice */
    size_t begun_at;      /* how many there were before this group */
    size_t kept;          /* for others */
    size_t left_out;
};

/* The names of a group come, and after it as many groups as that. */
void feature_names_begin(struct feature_names *names, size_t groups_to_come);

/* Of a pointer (RFC 6901) or a plain text. False when there would be too many. */
bool feature_names_take(struct feature_names *names, const char *text,
                        char out[FEATURE_NAME_MAX + 1]);

#endif
