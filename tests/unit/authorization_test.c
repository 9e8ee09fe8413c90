#include "httpapi/authorization.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* The token; "?" when it is malformed, "-" when there is none. */
static const char *parse(const char *value)
{
    static char found[600];
    struct authorization authorization;

    authorization_parse(&authorization, value);
    if (authorization.kind == AUTHORIZATION_NONE)
        return "-";
    if (authorization.kind == AUTHORIZATION_MALFORMED)
        return "?";
    snprintf(found, sizeof(found), "%.*s", (int)authorization.bytes, authorization.token);
    return found;
}

static void test_authorization__the_token_of_both_schemes(void **state)
{
    static const struct {
        const char *value;
        const char *token;
    } cases[] = {
        {NULL, "-"},
        {"", "?"},
        {"Bearer abc", "abc"},
        {"bearer abc", "abc"},
        {"BEARER    abc==", "abc=="},
        {"Bearer a-._~+/Z9", "a-._~+/Z9"},
        {"Bearer", "?"},
        {"Bearer a b", "?"},
        {"Bearer a, Basic b", "?"},
        {"Bearer \"abc\"", "?"},
        {"Bearer token=abc=d", "?"},
        {"Bearer \tabc", "?"},
        {"Bearer =", "?"},
        {"Bearer a\xc3\xa4", "?"},
        {"Bearer\tabc", "-"}, /* a scheme ends with a blank */
        {"Bearerabc", "-"},
        {"Token abc", "-"},
        {"Digest username=\"x\"", "-"},
        {"Negotiate YII=", "-"},
        {"abc", "-"},
        {"Basic dTp0b2tlbg==", "token"}, /* u:token */
        {"basic  dTp0b2tlbg==", "token"},
        {"Basic OnRva2Vu", "token"},     /* :token */
        {"Basic dTphOmI=", "a:b"},       /* u:a:b; the first colon counts */
        {"Basic dTo=", ""},              /* u: */
        {"Basic w7w6dG9rZW4=", "token"}, /* a name in UTF-8 */
        {"Basic dTrDpA==", "\xc3\xa4"},  /* as a password, which is none of ours */
        {"Basic dG9rZW4=", "?"},         /* no colon */
        {"Basic", "?"},
        {"Basic dTp0b2tlbg", "?"}, /* not padded */
        {"Basic dTp0b2tlbg=", "?"},
        {"Basic dTp0b2tlbg===", "?"},
        {"Basic ====", "?"},
        {"Basic dTp0=b2tlbg=", "?"},
        {"Basic dTp0 b2tl", "?"},
        {"Basic dTp0b2t_", "?"}, /* another alphabet */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *token = parse(cases[i].value);

        if (strcmp(token, cases[i].token) != 0)
            fail_msg("%s: %s", cases[i].value ? cases[i].value : "NULL", token);
    }
}

static void test_authorization__what_is_long_is_no_token_of_ours(void **state)
{
    static char digits[8200];
    static char value[8300];
    struct authorization authorization;

    (void)state;
    memset(digits, 'O', sizeof(digits));
    for (int bytes = 4; bytes < (int)sizeof(digits); bytes += bytes < 1500 ? 4 : 1000) {
        snprintf(value, sizeof(value), "Basic %.*s", bytes, digits);
        authorization_parse(&authorization, value);
        assert_int_not_equal(authorization.kind, AUTHORIZATION_NONE);
        snprintf(value, sizeof(value), "Bearer %.*s", bytes, digits);
        authorization_parse(&authorization, value);
        assert_int_equal(authorization.bytes, bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_authorization__the_token_of_both_schemes),
        cmocka_unit_test(test_authorization__what_is_long_is_no_token_of_ours),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
