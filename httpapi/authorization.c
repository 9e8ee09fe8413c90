#include "httpapi/authorization.h"

#include "httpapi/tokens.h"

#include <openssl/evp.h>

#include <stdbool.h>
#include <string.h>
#include <strings.h>

/* What follows the scheme and its blanks; NULL when it is another. */
static const char *after_scheme(const char *value, const char *scheme)
{
    size_t bytes = strlen(scheme);

    if (strncasecmp(value, scheme, bytes) != 0 || (value[bytes] && value[bytes] != ' '))
        return NULL;
    return value + bytes + strspn(value + bytes, " ");
}

static void take_token(struct authorization *out, const char *token, size_t bytes)
{
    out->kind = AUTHORIZATION_TOKEN;
    out->token = token;
    out->bytes = bytes;
}

/* The library takes more for base64 than it is: blanks around it, and = anywhere. */
static bool is_base64(const char *text, size_t bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t plain = strspn(text, digits);

    return bytes > 0 && bytes % 4 == 0 && plain + 2 >= bytes &&
           plain + strspn(text + plain, "=") == bytes;
}

static void parse_basic(struct authorization *out, const char *text)
{
    size_t bytes = strlen(text);
    size_t pair_bytes = bytes / 4 * 3;
    const char *colon;

    out->kind = AUTHORIZATION_MALFORMED;
    if (!is_base64(text, bytes))
        return;
    if (pair_bytes > AUTHORIZATION_PAIR_BYTES + 2) {
        take_token(out, "", 0); /* none of ours */
        return;
    }
    EVP_DecodeBlock((unsigned char *)out->pair, (const unsigned char *)text, (int)bytes);
    pair_bytes -= (text[bytes - 1] == '=') + (text[bytes - 2] == '=');
    colon = memchr(out->pair, ':', pair_bytes);
    if (colon)
        take_token(out, colon + 1, pair_bytes - (size_t)(colon + 1 - out->pair));
}

void authorization_parse(struct authorization *out, const char *value)
{
    const char *rest;

    out->kind = AUTHORIZATION_NONE;
    if (!value)
        return;
    if ((rest = after_scheme(value, "Bearer")) != NULL) {
        out->kind = AUTHORIZATION_MALFORMED;
        if (token_is_well_formed(rest, strlen(rest)))
            take_token(out, rest, strlen(rest));
    } else if ((rest = after_scheme(value, "Basic")) != NULL) {
        parse_basic(out, rest);
    } else if (!*value) {
        out->kind = AUTHORIZATION_MALFORMED;
    }
}
