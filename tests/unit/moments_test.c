#include "collector/moments.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* In tenths of a second after some moment; AT(1.5) lies amid two. */
#define AT(tenths) (INT64_C(1795435200000000) + (int64_t)((tenths) * 100000))

static struct moments made_at(double tenths, int64_t expiry_us)
{
    struct moments moments;

    moments_init(&moments, AT(tenths - 1));
    assert_true(moments_reach(&moments, AT(tenths)));
    moments_made(&moments, AT(tenths), true, expiry_us);
    return moments;
}

#define assert_span(m, since, as_of)                                                               \
    do {                                                                                           \
        assert_int_equal((m).since_us, AT(since));                                                 \
        assert_int_equal((m).as_of_us, AT(as_of));                                                 \
    } while (0)

static void test_moments__begin_at_the_latest_and_make_the_next(void **state)
{
    struct moments moments;

    (void)state;
    moments_init(&moments, AT(3.7));
    assert_span(moments, 3, 3);
    assert_int_equal(moments_next(&moments), AT(4));
    assert_false(moments_reach(&moments, AT(3)));
    assert_true(moments_reach(&moments, AT(4)));
}

static void test_moments__without_news_the_span_grows_and_nothing_is_made(void **state)
{
    struct moments moments = made_at(10, INT64_MAX);

    (void)state;
    assert_int_equal(moments_next(&moments), INT64_MAX);
    assert_false(moments_reach(&moments, AT(25)));
    assert_span(moments, 10, 25);
    assert_false(moments_reach(&moments, AT(20)));
    assert_span(moments, 10, 25);
}

static void test_moments__an_entry_is_on_the_last_board_before_it_expires(void **state)
{
    static const struct {
        double expiry;
        double last;
        double next;
    } cases[] = {{15.5, 15, 16}, {15, 14, 15}, {15.00001, 15, 16}, {10.5, 10, 11}, {11, 10, 11}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct moments moments = made_at(10, AT(cases[i].expiry));

        assert_int_equal(moments_next(&moments), AT(cases[i].next));
        assert_true(moments_reach(&moments, AT(20)));
        assert_span(moments, 10, cases[i].last);
        moments_made(&moments, AT(20), true, INT64_MAX);
        assert_span(moments, 20, 20);
    }
}

static void test_moments__news_end_the_span_at_the_moment_before(void **state)
{
    struct moments moments = made_at(10, INT64_MAX);

    (void)state;
    /* a reading that was received at 12.3 */
    assert_false(moments_reach(&moments, AT(12)));
    moments_note_news(&moments);
    assert_span(moments, 10, 12);
    assert_int_equal(moments_next(&moments), AT(13));
    assert_true(moments_reach(&moments, AT(13)));
    assert_span(moments, 10, 12);
    moments_made(&moments, AT(13), true, INT64_MAX);
    assert_span(moments, 13, 13);
}

static void test_moments__news_that_change_nothing_let_the_span_go_on(void **state)
{
    struct moments moments = made_at(10, INT64_MAX);

    (void)state;
    moments_note_news(&moments);
    assert_true(moments_reach(&moments, AT(11)));
    moments_made(&moments, AT(11), false, INT64_MAX);
    assert_span(moments, 10, 11);
    /* but not over moments that nobody looked at */
    moments_note_news(&moments);
    assert_true(moments_reach(&moments, AT(13)));
    moments_made(&moments, AT(13), false, INT64_MAX);
    assert_span(moments, 13, 13);
}

static void test_moments__what_a_load_has_spoilt_is_not_made(void **state)
{
    struct moments moments = made_at(10, INT64_MAX);

    (void)state;
    moments_spoil(&moments, AT(14.2));
    assert_int_equal(moments_next(&moments), AT(15));
    assert_false(moments_reach(&moments, AT(12)));
    assert_false(moments_reach(&moments, AT(14)));
    assert_span(moments, 10, 10);
    assert_true(moments_reach(&moments, AT(15)));
}

static void test_moments__after_a_skip_the_next_is_made(void **state)
{
    struct moments moments = made_at(10, INT64_MAX);

    (void)state;
    moments_skip(&moments, AT(12));
    assert_span(moments, 12, 12);
    assert_true(moments_reach(&moments, AT(13)));
}

static void test_moments__a_batch_is_cut_at_each_moment_amid_it(void **state)
{
    static const struct {
        double first;
        double last;
        double cut;
    } cases[] = {
        {1.2, 1.8, 2},   /* none: it is not before the last */
        {1.2, 2.1, 2},   /* one */
        {2, 2.1, 2},     /* what was received at the moment belongs to it */
        {1.2, 2, 2},     /* and so none is left for a second part */
        {1.2, 9.1, 2},   /* eight */
        {1.2, 50.5, 43}, /* a long one: the last eight */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(moments_first_cut(AT(cases[i].first), AT(cases[i].last)),
                         AT(cases[i].cut));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_moments__begin_at_the_latest_and_make_the_next),
        cmocka_unit_test(test_moments__without_news_the_span_grows_and_nothing_is_made),
        cmocka_unit_test(test_moments__an_entry_is_on_the_last_board_before_it_expires),
        cmocka_unit_test(test_moments__news_end_the_span_at_the_moment_before),
        cmocka_unit_test(test_moments__news_that_change_nothing_let_the_span_go_on),
        cmocka_unit_test(test_moments__what_a_load_has_spoilt_is_not_made),
        cmocka_unit_test(test_moments__after_a_skip_the_next_is_made),
        cmocka_unit_test(test_moments__a_batch_is_cut_at_each_moment_amid_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
