/* Any bytes: what is opened is walked through to its last part, and each part lies in the text and
 * is JSON of its kind by itself. A string that is decoded, written and read again is the same. */
#include "shared/model/json_walk.h"

#include "shared/base/json_write.h"
#include "shared/model/json_token.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void check_string(const struct json_token *token)
{
    struct buffer written = {0};
    struct json_token again;
    struct json_text text;

    json_text_init(&text, token);
    json_write_string(&written, text.chars);
    assert(json_walk_open(&again, (const char *)written.data, written.bytes) == JSON_OK);
    assert(json_token_is(&again, text.chars, strlen(text.chars)));
    assert(json_token_is(token, text.chars, strlen(text.chars)));
    json_text_release(&text);
    buffer_release(&written);
}

static void check(const char *text, size_t bytes, const struct json_token *token, int depth)
{
    bool is_string = token->kind == JSON_STRING;
    struct json_token again;

    assert(token->text >= text && token->text + token->bytes <= text + bytes);
    assert(json_walk_open(&again, token->text - is_string, token->bytes + 2 * is_string) ==
           JSON_OK);
    assert(again.kind == token->kind && again.bytes == token->bytes &&
           again.has_escapes == token->has_escapes);
    if (is_string)
        check_string(token);
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
