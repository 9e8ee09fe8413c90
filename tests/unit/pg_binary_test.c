#include "collector/stores/postgres/pg_binary.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* What `COPY (SELECT 1::int2, NULL::int2, 7, -1::int8, 'ab', 1.5::float8, NULL::float8,
 * timestamptz '2000-01-01T00:00:01Z') TO STDOUT (FORMAT binary)` sends. */
static const unsigned char from_postgres[] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0"
                                             "\0\10"
                                             "\0\0\0\2\0\1"
                                             "\377\377\377\377"
                                             "\0\0\0\4\0\0\0\7"
                                             "\0\0\0\10\377\377\377\377\377\377\377\377"
                                             "\0\0\0\2ab"
                                             "\0\0\0\10\77\370\0\0\0\0\0\0"
                                             "\377\377\377\377"
                                             "\0\0\0\10\0\0\0\0\0\17\102\100"
                                             "\377\377";

enum { FROM_POSTGRES_BYTES = sizeof(from_postgres) - 1, TRAILER_BYTES = 2 };

static void test_pg_binary__a_row_of_postgres_reads_as_what_it_is(void **state)
{
    struct pg_row row;
    char text[8];

    (void)state;
    assert_true(
        pg_row_start(&row, (const char *)from_postgres, FROM_POSTGRES_BYTES - TRAILER_BYTES, true));
    assert_int_equal(pg_row_int2(&row, 9), 1);
    assert_int_equal(pg_row_int2(&row, 9), 9);
    assert_int_equal(pg_row_int4(&row), 7);
    assert_int_equal(pg_row_int8(&row), -1);
    pg_row_text(&row, text, sizeof(text));
    assert_string_equal(text, "ab");
    assert_true(pg_row_double(&row) == 1.5);
    assert_true(isnan(pg_row_double(&row)));
    assert_int_equal(pg_row_timestamp(&row), INT64_C(946684801000000));
    assert_false(row.failed);
    assert_ptr_equal(row.at, row.end);
}

static void test_pg_binary__what_is_written_is_what_postgres_writes(void **state)
{
    struct buffer out = {0};

    (void)state;
    pg_put_header(&out);
    pg_put_row(&out, 8);
    pg_put_int2(&out, 1);
    pg_put_null(&out);
    pg_put_int4(&out, 7);
    pg_put_int8(&out, -1);
    pg_put_bytes(&out, "ab", 2);
    pg_put_double(&out, 1.5);
    pg_put_double(&out, (double)NAN);
    pg_put_timestamp(&out, INT64_C(946684801000000));
    pg_put_trailer(&out);
    assert_int_equal(out.bytes, FROM_POSTGRES_BYTES);
    assert_memory_equal(out.data, from_postgres, FROM_POSTGRES_BYTES);
    buffer_release(&out);
}

static void test_pg_binary__extremes_survive(void **state)
{
    static const int64_t moments[] = {0, -1, INT64_C(253402300799999999),
                                      INT64_C(-62135596800000000)};
    static const double values[] = {0.0, -0.0, 5e-324, 1.7976931348623157e308, -1e-300};

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        struct buffer out = {0};
        struct pg_row row;

        pg_put_row(&out, 1);
        pg_put_timestamp(&out, moments[i]);
        assert_true(pg_row_start(&row, (const char *)out.data, out.bytes, false));
        assert_true(pg_row_timestamp(&row) == moments[i]);
        buffer_release(&out);
    }
    for (size_t i = 0; i < 5; i++) {
        struct buffer out = {0};
        struct pg_row row;
        double value;

        pg_put_row(&out, 1);
        pg_put_double(&out, values[i]);
        assert_true(pg_row_start(&row, (const char *)out.data, out.bytes, false));
        value = pg_row_double(&row);
        assert_memory_equal(&value, &values[i], sizeof(value));
        buffer_release(&out);
    }
}

static void test_pg_binary__the_trailer_and_less_are_no_row(void **state)
{
    struct pg_row row;

    (void)state;
    assert_false(pg_row_start(&row, "\377\377", 2, false));
    assert_false(pg_row_start(&row, "\0", 1, false));
    assert_false(pg_row_start(&row, "", 0, false));
    assert_false(pg_row_start(&row, (const char *)from_postgres, 19, true)); /* a header alone */
}

static void read_all(struct pg_row *row)
{
    char text[8];

    pg_row_int2(row, 9);
    pg_row_int2(row, 9);
    pg_row_int4(row);
    pg_row_int8(row);
    pg_row_text(row, text, sizeof(text));
    pg_row_double(row);
    pg_row_double(row);
    pg_row_timestamp(row);
}

static void test_pg_binary__a_row_cut_anywhere_fails(void **state)
{
    (void)state;
    for (size_t bytes = 21; bytes < FROM_POSTGRES_BYTES - TRAILER_BYTES; bytes++) {
        struct pg_row row;

        assert_true(pg_row_start(&row, (const char *)from_postgres, bytes, true));
        read_all(&row);
        assert_true(row.failed);
        assert_true(row.at <= row.end);
    }
}

static void test_pg_binary__a_field_of_another_size_fails(void **state)
{
    struct buffer out = {0};
    struct pg_row row;
    char text[3];

    (void)state;
    pg_put_row(&out, 1);
    pg_put_int8(&out, 5);
    assert_true(pg_row_start(&row, (const char *)out.data, out.bytes, false));
    pg_row_int4(&row);
    assert_true(row.failed);
    assert_true(pg_row_start(&row, (const char *)out.data, out.bytes, false));
    assert_int_equal(pg_row_int2(&row, 9), 9);
    assert_true(row.failed);
    /* 8 bytes do not fit, and 3 bytes leave no room for the end */
    assert_true(pg_row_start(&row, (const char *)out.data, out.bytes, false));
    pg_row_text(&row, text, sizeof(text));
    assert_true(row.failed);
    assert_string_equal(text, "");
    buffer_clear(&out);
    pg_put_row(&out, 1);
    pg_put_bytes(&out, "abc", 3);
    assert_true(pg_row_start(&row, (const char *)out.data, out.bytes, false));
    pg_row_text(&row, text, sizeof(text));
    assert_true(row.failed);
    buffer_release(&out);
}

static void test_pg_binary__null_where_none_may_be_fails(void **state)
{
    struct buffer out = {0};
    struct pg_row row;
    char text[8];

    (void)state;
    pg_put_row(&out, 1);
    pg_put_null(&out);
    assert_true(pg_row_start(&row, (const char *)out.data, out.bytes, false));
    pg_row_int4(&row);
    assert_true(row.failed);
    assert_true(pg_row_start(&row, (const char *)out.data, out.bytes, false));
    pg_row_int8(&row);
    assert_true(row.failed);
    assert_true(pg_row_start(&row, (const char *)out.data, out.bytes, false));
    pg_row_text(&row, text, sizeof(text));
    assert_true(row.failed);
    buffer_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pg_binary__a_row_of_postgres_reads_as_what_it_is),
        cmocka_unit_test(test_pg_binary__what_is_written_is_what_postgres_writes),
        cmocka_unit_test(test_pg_binary__extremes_survive),
        cmocka_unit_test(test_pg_binary__the_trailer_and_less_are_no_row),
        cmocka_unit_test(test_pg_binary__a_row_cut_anywhere_fails),
        cmocka_unit_test(test_pg_binary__a_field_of_another_size_fails),
        cmocka_unit_test(test_pg_binary__null_where_none_may_be_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
