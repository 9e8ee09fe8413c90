#include "collector/stores/postgres/applied.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { FILES = 200 };

static char names[FILES][16];
static struct schema_file files[FILES];

struct fixture {
    struct applied applied;
    char error[400];
};

static int setup(void **state)
{
    static struct fixture f;

    for (size_t i = 0; i < FILES; i++) {
        snprintf(names[i], sizeof(names[i]), "%03zu_file", i + 1);
        files[i] = (struct schema_file){names[i], (const unsigned char *)names[i], 3};
    }
    f = (struct fixture){0};
    applied_init(&f.applied, files, FILES);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    applied_release(&f->applied);
    return 0;
}

static bool take(struct fixture *f, size_t i)
{
    char hash[24];

    snprintf(hash, sizeof(hash), "%" PRId64, applied_hash(&files[i]));
    return applied_check(&f->applied, names[i], hash, f->error, sizeof(f->error));
}

static void test_applied__no_file_is_applied_again_however_many_there_are(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < FILES; i++) {
        assert_int_equal(applied_next(&f->applied, 0), i);
        assert_true(take(f, i));
    }
    assert_int_equal(applied_next(&f->applied, 0), FILES);
    applied_clear(&f->applied);
    assert_int_equal(applied_next(&f->applied, 0), 0);
}

static void test_applied__what_is_missing_amid_them_is_found(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < FILES; i++) {
        if (i != 70 && i != 134)
            assert_true(take(f, i));
    }
    assert_int_equal(applied_next(&f->applied, 0), 70);
    assert_int_equal(applied_next(&f->applied, 71), 134);
    assert_int_equal(applied_next(&f->applied, 135), FILES);
}

static void test_applied__files_that_are_not_ours_are_refused(void **state)
{
    struct fixture *f = *state;

    assert_false(applied_check(&f->applied, "201_file", "0", f->error, sizeof(f->error)));
    assert_non_null(strstr(f->error, "newer version"));
    assert_false(applied_check(&f->applied, names[99], "0", f->error, sizeof(f->error)));
    assert_non_null(strstr(f->error, "development version"));
    assert_non_null(strstr(f->error, names[99]));
    assert_int_equal(applied_next(&f->applied, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_applied__no_file_is_applied_again_however_many_there_are, setup, teardown),
        cmocka_unit_test_setup_teardown(test_applied__what_is_missing_amid_them_is_found, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_applied__files_that_are_not_ours_are_refused, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
