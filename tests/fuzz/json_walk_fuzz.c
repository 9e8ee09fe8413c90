/* Any bytes: what is opened is walked through to its last part, and each part lies in the text and
 * is JSON of its kind by itself. */
#include "shared/model/json_walk.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void check(const char *text, size_t bytes, const struct json_token *token, int depth)
{
    bool is_string = token->kind == JSON_STRING;
    struct json_token again;

    assert(token->text >= text && token->text + token->bytes <= text + bytes);
    assert(json_walk_open(&again, token->text - is_string, token->bytes + 2 * is_string) ==
           JSON_OK);
    assert(again.kind == token->kind && again.bytes == token->bytes &&
           again.has_escapes == token->has_escapes);
    if (token->kind == JSON_OBJECT || token->kind == JSON_ARRAY) {
        struct json_token name;
        struct json_token value;
        struct json_walk walk;
        size_t counted;
        size_t count = 0;

        assert(depth < JSON_MAX_DEPTH);
        json_walk_init(&walk, token);
        while (json_walk_next(&walk, &name, &value)) {
            check(text, bytes, &value, depth + 1);
            count++;
        }
        assert(walk.at == walk.end - 1);
        if (json_walk_is_sound(token, SIZE_MAX, &counted))
            assert(counted == count);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    char *text = malloc(bytes ? bytes : 1); /* no NUL behind it: reading there is seen */
    struct json_token root;

    memcpy(text, data, bytes);
    if (json_walk_open(&root, text, bytes) == JSON_OK)
        check(text, bytes, &root, 0);
    free(text);
    return 0;
}
