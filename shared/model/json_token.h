/* json_token.h: what the tokens of a scanned text say.
 *
 * Why      nearly all are plain: a string means what stands there, a number has a few digits. Those
 *          are read where they stand; a tree of them would be allocated, copied into and freed
 *          again. What has escapes is decoded when it is asked for; strtod() reads long numbers.
 * Shape    functions of tokens that json_scan.h has found good.
 * Errors   none.
 * Owner    the one that embeds a json_text releases it.
 */
#ifndef HIGHWATER_JSON_TOKEN_H
#define HIGHWATER_JSON_TOKEN_H

#include "shared/model/json_scan.h"

#include <stdint.h>

/* A string as a C string, in `space` where it fits. */
struct json_text {
    const char *chars;
    char *allocated;
    char space[80];
};

void json_text_init(struct json_text *text, const struct json_token *token);
void json_text_release(struct json_text *text);

/* Makes a string token plain: what stands there is then what it means. Returns what is to be freed
 * when the token is no longer needed, NULL when it was plain already. */
char *json_token_decode(struct json_token *token);

/* True when a string token means this text. */
bool json_token_is(const struct json_token *token, const char *text, size_t bytes);

/* What timestamp_parse() makes of a string token. */
bool json_token_timestamp(const struct json_token *token, int64_t *out_us);

/* The whole number not above a number token times a power of ten, worked out in digits: a double
 * has too few of them for a timestamp in nanoseconds. False when it does not fit; `is_exact` says
 * whether nothing was cut off. */
bool json_token_floor(const struct json_token *token, int power_of_ten, int64_t *out,
                      bool *is_exact);

/* A number token as microseconds since 1970: it is s, ms, us or ns by its size. Below a microsecond it is
 * cut off, as it is in text, so that both ways to write a time give the same one. */
bool json_token_epoch(const struct json_token *token, int64_t *out_us);

/* The double nearest to a number token, as strtod() reads it. */
double json_token_number(const struct json_token *token);

#endif
