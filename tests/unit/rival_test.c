#include "collector/sinks/rival.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define S INT64_C(1000000)

enum { T = 1000000 }; /* ms */

static struct rival ours(void)
{
    struct rival rival;

    rival_init(&rival, "bbbb", 1000 * S);
    rival_begin(&rival, T);
    return rival;
}

static void take(struct rival *rival, const char *json, bool is_retained, uint64_t now_ms)
{
    rival_apply_status(rival, json, strlen(json), is_retained, now_ms);
}

#define THEIRS                                                                                     \
    "{\"installation\":\"aaaa\",\"state\":\"live\",\"startedAt\":\"1970-01-01T00:20:00Z\"}"
#define EARLIER                                                                                    \
    "{\"installation\":\"aaaa\",\"state\":\"live\",\"startedAt\":\"1970-01-01T00:10:00Z\"}"
#define AT_ONCE_A                                                                                  \
    "{\"installation\":\"aaaa\",\"state\":\"live\",\"startedAt\":\"1970-01-01T00:16:40Z\"}"
#define AT_ONCE_C                                                                                  \
    "{\"installation\":\"cccc\",\"state\":\"live\",\"startedAt\":\"1970-01-01T00:16:40Z\"}"

static void test_rival__nobody_speaks_before_he_has_looked(void **state)
{
    struct rival rival = ours();

    (void)state;
    assert_false(rival_may_speak(&rival));
    rival_looked(&rival, T + 1);
    assert_true(rival_may_speak(&rival));
    rival = ours();
    rival_tick(&rival, T + RIVAL_LOOK_MS - 1);
    assert_false(rival_may_speak(&rival));
    rival_tick(&rival, T + RIVAL_LOOK_MS); /* a broker that shows us nothing */
    assert_true(rival_may_speak(&rival));
}

static void test_rival__who_has_spoken_goes_on_with_the_next_connection(void **state)
{
    struct rival rival = ours();

    (void)state;
    rival_looked(&rival, T + 1);
    rival_begin(&rival, T + 2);
    assert_true(rival_may_speak(&rival));
    take(&rival, EARLIER, true, T + 3); /* retained: he may be gone */
    assert_true(rival_may_speak(&rival));
    take(&rival, EARLIER, false, T + 4);
    assert_false(rival_may_speak(&rival));
}

static void test_rival__what_is_nobodys_or_ours_or_over_is_no_rival(void **state)
{
    static const char *const harmless[] = {
        "",
        "{}",
        "[]",
        "not json",
        "{\"state\":\"live\"}",
        "{\"installation\":7,\"state\":\"live\"}",
        "{\"installation\":\"\",\"state\":\"live\"}",
        "{\"installation\":\"a b\",\"state\":\"live\"}",
        "{\"installation\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\",\"state\":\"live\"}",
        "{\"installation\":\"bbbb\",\"state\":\"live\"}",
        "{\"installation\":\"aaaa\",\"state\":\"lost\"}",
        "{\"installation\":\"aaaa\",\"state\":\"stopped\"}"};
    char text[300];

    (void)state;
    for (size_t i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++) {
        struct rival rival = ours();

        take(&rival, harmless[i], true, T);
        rival_looked(&rival, T + 1);
        take(&rival, harmless[i], false, T + 2);
        if (!rival_may_speak(&rival) || rival_explain(&rival, "c", T + 3, text, sizeof(text)))
            fail_msg("%s", harmless[i]);
    }
}

static void test_rival__a_retained_status_alone_is_doubted(void **state)
{
    struct rival rival = ours();

    (void)state;
    take(&rival, EARLIER, true, T);
    rival_looked(&rival, T + 1);
    assert_false(rival_may_speak(&rival));
    rival_tick(&rival, T + RIVAL_DOUBT_MS - 1);
    assert_false(rival_may_speak(&rival));
    rival_tick(&rival, T + RIVAL_DOUBT_MS);
    assert_true(rival_may_speak(&rival));
}

static void test_rival__who_is_there_before_us_has_the_place(void **state)
{
    struct rival rival = ours();
    char text[400];

    (void)state;
    take(&rival, THEIRS, true, T);
    rival_looked(&rival, T + 1);
    take(&rival, THEIRS, false, T + 900); /* though he has started after us */
    assert_false(rival_may_speak(&rival));
    assert_true(rival_explain(&rival, "collector", T + 900, text, sizeof(text)));
    assert_non_null(strstr(text, "aaaa"));
    assert_non_null(strstr(text, "bbbb"));
    assert_non_null(strstr(text, "COLLECTOR_ID collector"));
    rival_begin(&rival, T + 1000); /* a new connection changes nothing */
    rival_looked(&rival, T + 1001);
    assert_false(rival_may_speak(&rival));
}

static void test_rival__his_restart_does_not_cost_him_the_place(void **state)
{
    struct rival rival = ours();

    (void)state;
    take(&rival, THEIRS, false, T);
    take(&rival, "{\"installation\":\"aaaa\",\"state\":\"stopped\"}", false, T + 10);
    rival_tick(&rival, T + RIVAL_GONE_MS - 1);
    assert_int_equal(rival.state, RIVAL_SILENT);
    take(&rival, THEIRS, false, T + RIVAL_GONE_MS - 1);
    rival_tick(&rival, T + RIVAL_GONE_MS + 1);
    assert_int_equal(rival.state, RIVAL_SILENT);
    rival_tick(&rival, T + 2 * RIVAL_GONE_MS);
    assert_int_equal(rival.state, RIVAL_LOOKING);
}

static void test_rival__of_two_at_once_the_later_one_gives_way(void **state)
{
    struct rival rival = ours();
    char text[400];

    (void)state;
    rival_looked(&rival, T + 1);
    take(&rival, THEIRS, false, T + 2); /* started later: he will see ours */
    assert_true(rival_may_speak(&rival));
    assert_true(rival_explain(&rival, "c", T + 3, text, sizeof(text)));
    assert_false(rival_explain(&rival, "c", T + 2 + RIVAL_RECENT_MS, text, sizeof(text)));
    take(&rival, EARLIER, false, T + 4);
    assert_false(rival_may_speak(&rival));
}

static void test_rival__of_two_at_the_same_moment_one_gives_way(void **state)
{
    struct rival rival = ours();

    (void)state;
    rival_looked(&rival, T + 1);
    take(&rival, AT_ONCE_C, false, T + 2);
    assert_true(rival_may_speak(&rival));
    take(&rival, AT_ONCE_A, false, T + 3);
    assert_false(rival_may_speak(&rival));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rival__nobody_speaks_before_he_has_looked),
        cmocka_unit_test(test_rival__who_has_spoken_goes_on_with_the_next_connection),
        cmocka_unit_test(test_rival__what_is_nobodys_or_ours_or_over_is_no_rival),
        cmocka_unit_test(test_rival__a_retained_status_alone_is_doubted),
        cmocka_unit_test(test_rival__who_is_there_before_us_has_the_place),
        cmocka_unit_test(test_rival__his_restart_does_not_cost_him_the_place),
        cmocka_unit_test(test_rival__of_two_at_once_the_later_one_gives_way),
        cmocka_unit_test(test_rival__of_two_at_the_same_moment_one_gives_way),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
