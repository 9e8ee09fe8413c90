#include "shared/net/accept.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_accept__chooses_the_heaviest_type_on_offer(void **state)
{
    static const char *const offered[] = {"application/json", "text/csv"};
    static const struct {
        const char *accept;
        int expected;
    } cases[] = {
        {NULL, 0},
        {"", 0},
        {" , ", 0},
        {"*/*", 0},
        {"application/json", 0},
        {"text/csv", 1},
        {"TEXT/CSV", 1},
        {"text/*", 1},
        {"text/csv;q=0.5, application/json", 0},
        {"application/json;q=0.5, text/csv;q=0.9", 1},
        {"application/json;q=0.5,*/*;q=0.9", 1},
        {"*/*;q=0.1, text/csv", 1},
        {"text/csv;q=0", -1},
        {"*/*, text/csv;q=0", 0},
        {"*/*, application/json;q=0", 1},
        {"text/html", -1},
        {"text/html, */*;q=0.8", 0},
        {"application/json; charset=utf-8", 0},
        {"application/json;charset=utf-8;q=0.2, text/csv;q=0.1", 0},
        {"text/csv;q=nonsense", 1},
        {"text/csv; q=1.5", 1},
        {"text/cs", -1},
        {"text/csvx", -1},
        {"*", -1},
        {"text", -1},
        {";;;,,,;q=", -1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int chosen = accept_choose(cases[i].accept, offered, 2);

        if (chosen != cases[i].expected)
            fail_msg("%s: %d, not %d", cases[i].accept, chosen, cases[i].expected);
    }
}

static void test_accept__gzip_is_taken_only_when_it_is_asked_for(void **state)
{
    (void)state;
    assert_true(accept_takes_gzip("gzip"));
    assert_true(accept_takes_gzip("deflate, gzip;q=0.5"));
    assert_true(accept_takes_gzip("*"));
    assert_false(accept_takes_gzip(NULL));
    assert_false(accept_takes_gzip(""));
    assert_false(accept_takes_gzip("identity"));
    assert_false(accept_takes_gzip("gzip;q=0"));
    assert_false(accept_takes_gzip("*, gzip;q=0"));
    assert_false(accept_takes_gzip("gzip;q=0.000, *"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accept__chooses_the_heaviest_type_on_offer),
        cmocka_unit_test(test_accept__gzip_is_taken_only_when_it_is_asked_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
