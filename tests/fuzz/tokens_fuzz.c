/* Any bytes as the value of an Authorization header and as a file of tokens: a token lies within what it came
 * in; what is taken as a file opens something, and what is wrong with one is told in words that show
 * nothing of it. */
#include "httpapi/authorization.h"
#include "httpapi/tokens.h"

#include "shared/base/mem.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void check_value(const char *value)
{
    struct authorization authorization;
    const char *at;

    authorization_parse(&authorization, value);
    if (authorization.kind != AUTHORIZATION_TOKEN || authorization.bytes == 0)
        return;
    at = authorization.token;
    if (at >= authorization.pair && at < authorization.pair + sizeof(authorization.pair))
        assert(at + authorization.bytes <= authorization.pair + AUTHORIZATION_PAIR_BYTES + 2);
    else
        assert(at > value && at + authorization.bytes == value + strlen(value));
}

/* Every line that is taken names a group, and each of its tokens is found. */
static void check_tokens(const struct tokens *tokens, char *text)
{
    size_t found = 0;
    char *rest = NULL;

    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        char *words = NULL;
        char *groups = strtok_r(line, " \t\r", &words);
        char *token = strtok_r(NULL, " \t\r", &words);

        if (!groups || groups[0] == '#')
            continue;
        assert(token && tokens_find(tokens, token, strlen(token)) != 0);
        found++;
    }
    assert(found == tokens_count(tokens) && found > 0);
}

/* A word as long as a token can be of ours only if it was ours before. */
static void check_error(const char *error, char *text)
{
    char *rest = NULL;

    for (char *word = strtok_r(text, " \t\r\n", &rest); word;
         word = strtok_r(NULL, " \t\r\n", &rest))
        assert(strlen(word) < TOKEN_LEAST_BYTES || !strstr(error, word));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    char *text = mem_strndup((const char *)data, bytes); /* so that a byte too many is noticed */
    char error[300] = "";
    struct tokens *tokens = tokens_parse((const char *)data, bytes, error, sizeof(error));

    check_value(text);
    if (tokens && strlen(text) == bytes) /* a comment may hold NUL */
        check_tokens(tokens, text);
    else if (!tokens)
        check_error(error, text);
    tokens_free(tokens);
    free(text);
    return 0;
}
