/* senml.h: a SenML pack as plain JSON, every record resolved.
 *
 * Shape    [{"n":"urn:dev:ow:1:temperature","base":"urn:dev:ow:1:","label":"temperature","u":"Cel",
 *          "t":1795691045.500000,"v":21.4},...]: n is the whole name, base and label are what it was
 *          put together from; t is absolute. The value is one of v, vs, vb, vd, and s may come with it.
 *          A record that says no time has no t. One whose time is relative to now has
 *          "arrival":true, too: such a time is another one when the message comes again.
 *          Records that only set base fields are none.
 * Units    seconds, with six decimals.
 * Errors   false, with a sentence that names the record. The text must have been scanned.
 * Source   RFC 8428, sections 4 and 4.6.
 */
#ifndef HIGHWATER_SENML_H
#define HIGHWATER_SENML_H

#include "shared/base/buffer.h"
#include "shared/model/json_scan.h"

#include <stdbool.h>
#include <stdint.h>

enum { SENML_VERSION = 10, SENML_ERROR_SIZE = 160 };

/* `now_us` is what times below 2^28 s are relative to. Appends to `out`. */
bool senml_resolve(struct buffer *out, const struct json_token *root, int64_t now_us, char *error);

#endif
