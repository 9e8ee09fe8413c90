/* mapping_file.h: the file of mappings, compiled.
 *
 * Shape    a JSON array of mappings, in which comments may stand as in C: line ends and what is between
 *          slash-star and star-slash. mapping.h has what becomes of it.
 * Keys     of a mapping: topic, payload, ignore, only, unpack, rules, and those of a rule when it has one
 *          rule only; else those beside `rules` hold for every rule that does not say them itself.
 *          Of a rule: each, match, when, device, time, seq, status, features, feature.
 * Errors   false, with a sentence that names the line and the key. Nothing is taken half: a key that is
 *          not known, or stands there twice, is a mistake.
 * Owner    `out` is released by mappings_release() when the outcome is true, and bound
 *          (mappings_bind()) before it is used.
 */
#ifndef HIGHWATER_MAPPING_FILE_H
#define HIGHWATER_MAPPING_FILE_H

#include "collector/decoders/mapping.h"

enum { MAPPING_ERROR_SIZE = 400, MAPPING_FILE_MOST = 4 * 1024 * 1024 };

/* Finds a zone, as zone_load() does; NULL when there is none. */
typedef struct zone *(*mapping_zone_fn)(const char *name);

bool mapping_compile(struct mappings *out, const char *text, size_t bytes,
                     mapping_zone_fn load_zone, char error[MAPPING_ERROR_SIZE]);

bool mapping_load(struct mappings *out, const char *path, char error[MAPPING_ERROR_SIZE]);

/* What readings carry: the features that the file names, in its order, and then `more`, whose units and
 * labels win. False when
 * there are too many. */
bool mappings_features(const struct mappings *mappings, const struct features *more,
                       struct features *out, char error[MAPPING_ERROR_SIZE]);

#endif
