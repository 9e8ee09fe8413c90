/* openapi_json.h: openapi.json, put into the program by the Makefile. */
#ifndef HIGHWATER_OPENAPI_JSON_H
#define HIGHWATER_OPENAPI_JSON_H

extern const unsigned char openapi_json[]; /* ended by NUL */

#endif
