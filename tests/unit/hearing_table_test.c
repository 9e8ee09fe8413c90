#include "collector/stores/postgres/hearing_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
    struct refs refs;
    struct hearing hearing;
    struct buffer out;
};

static int set_up(void **state)
{
    static struct fixture f;

    f = (struct fixture){0};
    refs_set(&f.refs, 0, 2);
    refs_set(&f.refs, 1, 5);
    refs_set(&f.refs, 2, 4095);
    refs_set(&f.refs, 3, 4096);
    refs_set(&f.refs, 4, 3);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    refs_release(&f->refs);
    hearing_release(&f->hearing);
    buffer_release(&f->out);
    return 0;
}

static void test_hearing_table__a_part_has_a_place_for_each_number(void **state)
{
    struct fixture *f = *state;

    hearing_remember(&f->hearing, 0, 7);
    hearing_remember(&f->hearing, 1, 0);
    hearing_remember(&f->hearing, 3, 4000);
    hearing_table_put(&f->refs, &f->hearing, 0, &f->out);
    assert_string_equal(buffer_text(&f->out), "{NULL,NULL,7,NULL,NULL,0}");
    buffer_clear(&f->out);
    hearing_table_put(&f->refs, &f->hearing, 1, &f->out);
    assert_string_equal(buffer_text(&f->out), "{4000}");
    buffer_clear(&f->out);
    hearing_table_put(&f->refs, &f->hearing, 2, &f->out);
    assert_string_equal(buffer_text(&f->out), "{}");
}

static void test_hearing_table__what_was_put_is_taken(void **state)
{
    struct fixture *f = *state;
    struct hearing again = {0};
    int32_t silent_s;

    for (size_t device = 0; device < 4; device++)
        hearing_remember(&f->hearing, device, 10 * (int32_t)device + 1);
    hearing_table_put(&f->refs, &f->hearing, 0, &f->out);
    hearing_table_take(&f->refs, &again, 0, buffer_text(&f->out));
    for (size_t device = 0; device < 3; device++) {
        assert_true(hearing_silence(&again, device, &silent_s));
        assert_int_equal(silent_s, 10 * device + 1);
    }
    assert_int_equal(hearing_count(&again), 3);
    hearing_release(&again);
}

/* Whoever may write the table may write anything into it. */
static void test_hearing_table__what_is_odd_is_nobody(void **state)
{
    static const char *const odd[] = {"",
                                      "{}",
                                      "{NULL}",
                                      "{1}",
                                      "{1,1}",
                                      "{,,-1,NULL,,-7}",
                                      "{NULL,NULL,2147483647",
                                      "NULL",
                                      "{{1,2},{3,4}}",
                                      "{,,99999999999999999999}"};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        hearing_table_take(&f->refs, &f->hearing, 0, odd[i]);
        hearing_table_take(&f->refs, &f->hearing, -1, odd[i]);
        if (i != 8 && hearing_count(&f->hearing) != 0)
            fail_msg("%s", odd[i]);
        hearing_clear(&f->hearing);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_hearing_table__a_part_has_a_place_for_each_number,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_hearing_table__what_was_put_is_taken, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_hearing_table__what_is_odd_is_nobody, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
