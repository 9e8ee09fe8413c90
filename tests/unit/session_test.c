#include "collector/sources/session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* As Mosquitto was seen to answer; the rows with a clean start are those of a takeover. */
static const struct {
    const char *what;
    struct session session; /* remembered, present, marker, taken */
    bool is_lost;
} cases[] = {
    {"the first start ever", {false, false, true, false}, false},
    {"the first start ever, without a marker yet", {false, false, false, false}, false},
    {"a later start", {true, true, false, false}, false},
    {"after a taker whose session ended with it", {true, false, true, false}, true},
    {"after a taker whose session stayed", {true, true, true, false}, true},
    {"after the broker was restarted empty", {true, false, false, false}, true},
    {"a session from before the database was made again", {false, true, false, false}, false},
    {"taken by one who went on with it", {true, true, false, true}, true},
    {"taken by one who threw it away", {true, false, false, true}, true},
};

static void test_session__is_lost_when_it_is_gone_or_another_one(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (session_is_lost(&cases[i].session) != cases[i].is_lost)
            fail_msg("%s", cases[i].what);
    }
}

static void assert_explained(struct session session, enum broker_memory memory, const char *first,
                             const char *second)
{
    char text[512];

    session_explain(text, sizeof(text), &session, memory, "our-id");
    assert_non_null(strstr(text, first));
    if (second)
        assert_non_null(strstr(text, second));
    else
        assert_null(strstr(text, "persistence"));
    assert_non_null(strstr(text, "may be lost"));
    assert_true(strlen(text) < sizeof(text) - 1);
}

static void test_session__the_explanation_blames_whom_it_can(void **state)
{
    struct session gone = {.is_remembered = true};
    struct session taken = {.is_remembered = true, .was_taken = true};
    struct session replaced = {.is_remembered = true, .is_present = true, .has_marker_come = true};

    (void)state;
    assert_explained(replaced, BROKER_UNKNOWN, "connected as our-id", NULL);
    assert_explained(taken, BROKER_KEPT, "given it our session", NULL);
    assert_explained(taken, BROKER_FORGOT, "connected as our-id", NULL);
    assert_explained(gone, BROKER_KEPT, "connected as our-id", NULL);
    assert_explained(gone, BROKER_FORGOT, "restarted without persistence", "another broker");
    assert_explained(gone, BROKER_UNKNOWN, "restarted without persistence", "connected as our-id");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_session__is_lost_when_it_is_gone_or_another_one),
        cmocka_unit_test(test_session__the_explanation_blames_whom_it_can),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
