/* openapi.h: the contract, an OpenAPI 3.1 document.
 *
 * Shape    features, intervals and limits are this program's settings, so the document describes
 *          this very server. The rest is openapi.json.
 * Source   OpenAPI Specification 3.1.0; JSON Schema 2020-12.
 */
#ifndef HIGHWATER_OPENAPI_H
#define HIGHWATER_OPENAPI_H

#include "httpapi/params.h"
#include "shared/base/buffer.h"

void openapi_write(struct buffer *out, const struct params_rules *rules, bool asks_for_tokens);

#endif
