#include "httpapi/payload_json.h"

#include "shared/base/base64.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BYTES(text) (text), sizeof(text) - 1

struct case_of_payload {
    const char *name;
    const char *bytes;
    size_t count;
    bool is_cut;
    const char *shown; /* NULL = as base64 */
};

static void test_payload_json__what_cannot_be_seen_is_told(void **state)
{
    static const struct case_of_payload cases[] = {
        {"nothing", BYTES(""), false, ""},
        {"plain", BYTES("{\"a\":1}"), false, "{\\\"a\\\":1}"},
        {"lines", BYTES("a\n\tb\r"), false, "a\\n\\tb\\\\u{d}"},
        {"a backslash", BYTES("\\u202e"), false, "\\\\u202e"},
        {"a NUL", BYTES("a\0b"), false, "a\\\\u{0}b"},
        {"colours of a terminal", BYTES("\x1b[31mred"), false, "\\\\u{1b}[31mred"},
        {"C1", BYTES("\xc2\x9b"), false, "\\\\u{9b}"},
        {"directions",
         BYTES("a\xe2\x80\xae" /* NOLINT(misc-misleading-bidirectional) */
               "b\xe2\x81\xa6"),
         false, "a\\\\u{202e}b\\\\u{2066}"},
        {"zero width", BYTES("\xe2\x80\x8b\xef\xbb\xbf"), false, "\\\\u{200b}\\\\u{feff}"},
        {"HTML", BYTES("<img src=x onerror=1>"), false, "<img src=x onerror=1>"},
        {"letters",
         BYTES("\xc2\xb0"
               "C \xe6\xb8\xa9"),
         false,
         "\xc2\xb0"
         "C \xe6\xb8\xa9"},
        {"Latin-1",
         BYTES("\xb0"
               "C"),
         false, NULL},
        {"cut through", BYTES("ab\xe6\xb8"), true, "ab"},
        {"cut through, of four", BYTES("\xf0\x9f\x8c"), true, ""},
        {"not cut, and not whole", BYTES("ab\xe6\xb8"), false, NULL},
        {"cut, and wrong before",
         BYTES("\xff"
               "ab\xe6\xb8"),
         true, NULL},
        {"cut, and wrong there", BYTES("ab\xff"), true, NULL},
        {"cut, and a lone continuation", BYTES("ab\xb8"), true, NULL},
        {"cut, and a broken one",
         BYTES("ab\xe6"
               "c"),
         true, NULL},
    };
    struct buffer out = {0};
    struct buffer expected = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct case_of_payload *one = &cases[i];

        buffer_clear(&out);
        buffer_clear(&expected);
        if (one->shown) {
            buffer_printf(&expected, ",\"payload\":\"%s\",\"payloadBase64\":null", one->shown);
        } else {
            buffer_put_text(&expected, ",\"payload\":null,\"payloadBase64\":\"");
            base64_write(&expected, one->bytes, one->count);
            buffer_put_text(&expected, "\"");
        }
        payload_json_put_shown(&out, one->bytes, one->count, one->is_cut);
        if (strcmp(buffer_text(&out), buffer_text(&expected)) != 0)
            fail_msg("%s: %s", one->name, buffer_text(&out));
    }
    buffer_release(&out);
    buffer_release(&expected);
}

static void test_payload_json__whole_it_is_as_it_came(void **state)
{
    static const struct {
        const char *bytes;
        size_t count;
        const char *json;
    } cases[] = {
        /* NOLINTBEGIN(misc-misleading-bidirectional) */
        {BYTES("a\xe2\x80\xae\x1b"),
         ",\"payload\":\"a\xe2\x80\xae\\u001b\",\"payloadBase64\":null"},
        /* NOLINTEND(misc-misleading-bidirectional) */
        {BYTES("a\0"), ",\"payload\":null,\"payloadBase64\":\"YQA=\""},
        {BYTES("\xff\xfe\xfd"), ",\"payload\":null,\"payloadBase64\":\"//79\""},
        {BYTES(""), ",\"payload\":\"\",\"payloadBase64\":null"},
    };
    struct buffer out = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        buffer_clear(&out);
        payload_json_put_whole(&out, cases[i].bytes, cases[i].count);
        assert_string_equal(buffer_text(&out), cases[i].json);
    }
    buffer_release(&out);
}

/* RFC 4648 section 10. */
static void test_base64__is_as_the_rfc_has_it(void **state)
{
    static const char *const cases[][2] = {{"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"}};
    struct buffer out = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        buffer_clear(&out);
        base64_write(&out, cases[i][0], strlen(cases[i][0]));
        assert_string_equal(buffer_text(&out), cases[i][1]);
    }
    buffer_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_payload_json__what_cannot_be_seen_is_told),
        cmocka_unit_test(test_payload_json__whole_it_is_as_it_came),
        cmocka_unit_test(test_base64__is_as_the_rfc_has_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
