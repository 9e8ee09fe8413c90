#include "httpapi/run.h"

#include "shared/base/buffer.h"
#include "shared/net/pg_value.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SCALE, BASE, STEP, SMALL, WIDE, LARGE, EXACT, FIELDS };

#define NONE (INT64_MIN + 1) /* INT64_MIN is minus zero */

/* What record_send() and array_send() write, but for the types, which nobody reads. */
struct number {
    int64_t scale, base, step;
    int array; /* which of the fields has elements; SCALE: none */
    size_t count;
    const int64_t *elements; /* of a double, its bits; NONE: NULL */
};

static void put_integer(struct buffer *out, int64_t value, size_t bytes)
{
    buffer_put_be32(out, (uint32_t)bytes);
    if (bytes == 2)
        buffer_put_be16(out, (uint16_t)value);
    else if (bytes == 4)
        buffer_put_be32(out, (uint32_t)value);
    else
        buffer_put_be64(out, (uint64_t)value);
}

static void put_array(struct buffer *out, const int64_t *elements, size_t count, size_t bytes)
{
    buffer_put_be32(out, count > 0);
    buffer_put_be64(out, 0);
    if (count == 0)
        return;
    buffer_put_be32(out, (uint32_t)count);
    buffer_put_be32(out, 1);
    for (size_t i = 0; i < count; i++) {
        if (elements[i] == NONE)
            buffer_put_be32(out, UINT32_MAX);
        else
            put_integer(out, elements[i], bytes);
    }
}

static void put_cell(struct buffer *out, struct buffer *cell)
{
    buffer_put_be32(out, (uint32_t)cell->bytes);
    buffer_put(out, cell->data, cell->bytes);
    buffer_release(cell);
}

static struct buffer number_of(const struct number *number)
{
    static const size_t sizes[FIELDS] = {0, 0, 0, 2, 4, 8, 8};
    struct buffer out = {0};

    buffer_put_be32(&out, FIELDS);
    for (int field = SCALE; field < FIELDS; field++) {
        struct buffer array = {0};

        buffer_put_be32(&out, 0);
        if (number->array != EXACT && field == SCALE) {
            put_integer(&out, number->scale, 2);
        } else if (number->array != EXACT && (field == BASE || field == STEP)) {
            put_integer(&out, field == BASE ? number->base : number->step, 8);
        } else if (field == number->array) {
            put_array(&array, number->elements, number->count, sizes[field]);
            put_cell(&out, &array);
        } else {
            buffer_put_be32(&out, UINT32_MAX);
        }
    }
    return out;
}

static struct run_cell cell_of(const struct buffer *bytes)
{
    return (struct run_cell){(const char *)bytes->data, bytes->bytes};
}

/* An array of such; NULL where `array` is below SCALE. */
static struct buffer features_of(const struct number *numbers, size_t count)
{
    struct buffer out = {0};

    put_array(&out, NULL, 0, 8);
    if (count == 0)
        return out;
    buffer_clear(&out);
    buffer_put_be32(&out, 1);
    buffer_put_be64(&out, 0);
    buffer_put_be32(&out, (uint32_t)count);
    buffer_put_be32(&out, 1);
    for (size_t i = 0; i < count; i++) {
        struct buffer number;

        if (numbers[i].array < SCALE) {
            buffer_put_be32(&out, UINT32_MAX);
            continue;
        }
        number = number_of(&numbers[i]);
        put_cell(&out, &number);
    }
    return out;
}

static int64_t bits_of(double value)
{
    int64_t bits;

    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

static void assert_same(double found, double expected)
{
    assert_true(bits_of(found) == bits_of(expected));
}

static void test_run__a_chunk_is_told_as_it_was_packed(void **state)
{
    static const int64_t times[] = {-7, 0, 32767}, wide[] = {-70000, NONE, 70000},
                         large[] = {INT64_C(1) << 40, 1, 0};
    const int64_t exact[] = {bits_of(-0.0), NONE, bits_of(1e300)};
    const struct number moments = {3, 5, 1000, SMALL, 3, times};
    const struct number status = {0, 3, 0, SCALE, 0, NULL};
    const struct number numbers[] = {{2, 1950, 0, WIDE, 3, wide},
                                     {0, 0, 0, EXACT, 3, exact},
                                     {9, -3, 0, LARGE, 3, large},
                                     {1, 10, 5, SCALE, 0, NULL},
                                     {.array = -1}};
    struct buffer at = number_of(&moments);
    struct buffer on = number_of(&status);
    struct buffer features = features_of(numbers, 5);
    struct run_cells cells = {.recorded_at = cell_of(&at),
                              .first_at_us = 1000000,
                              .status = cell_of(&on),
                              .features = cell_of(&features)};
    struct run run = {0};

    (void)state;
    for (int newest_first = 0; newest_first < 2; newest_first++) {
        run_read(&run, &cells, 3, 5, newest_first);
        assert_int_equal(run.count, 3);
        assert_int_equal(run_index(&run, 0), newest_first ? 2 : 0);
        assert_int_equal(run_index(&run, 2), newest_first ? 0 : 2);
        assert_int_equal(run.moments_us[0], 1000000 + (5 + 1000 - 7) * 1000);
        assert_int_equal(run.moments_us[1], 1000000 + (5 + 2000) * 1000);
        assert_int_equal(run.moments_us[2], 1000000 + (5 + 3000 + 32767) * 1000);
        assert_int_equal(run.statuses[0], 3);
        assert_int_equal(run.statuses[2], 3);
        assert_same(run.values[0], (1950 - 70000) / 100.0);
        assert_true(isnan(run.values[1]));
        assert_same(run.values[2], (1950 + 70000) / 100.0);
        assert_same(run.values[3], -0.0);
        assert_true(isnan(run.values[4]));
        assert_same(run.values[5], 1e300);
        assert_same(run.values[6], (double)((INT64_C(1) << 40) - 3) / 1e9);
        assert_same(run.values[8], -3 / 1e9);
        assert_same(run.values[9], 1.5);
        assert_same(run.values[11], 2.5);
        for (size_t i = 12; i < 15; i++)
            assert_true(isnan(run.values[i]));
    }
    run_release(&run);
    buffer_release(&at);
    buffer_release(&on);
    buffer_release(&features);
}

static void test_run__rows_are_told_in_the_order_in_which_they_come(void **state)
{
    static const int64_t since_2000[] = {3000000, 2000000, 2000000, -1},
                         of_rows[] = {2, NONE, 4, 1};
    const int64_t exact[] = {bits_of(0.1), NONE, bits_of(5e-324), bits_of((double)NAN)};
    const struct number status = {0, 0, 0, SMALL, 4, of_rows};
    const struct number number = {0, 0, 0, EXACT, 4, exact};
    struct buffer at = {0};
    struct buffer on = number_of(&status);
    struct buffer features = features_of(&number, 1);
    struct run_cells cells = {.status = cell_of(&on), .features = cell_of(&features)};
    struct run run = {0};

    (void)state;
    put_array(&at, since_2000, 4, 8);
    cells.moments = cell_of(&at);
    run_read(&run, &cells, 4, 1, true);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(run_index(&run, i), i);
        assert_int_equal(run.moments_us[i], PG_EPOCH_US + since_2000[i]);
        assert_int_equal(run.statuses[i], of_rows[i] == NONE ? 0 : of_rows[i]);
    }
    assert_same(run.values[0], 0.1);
    assert_true(isnan(run.values[1]) && isnan(run.values[3]));
    assert_same(run.values[2], 5e-324);
    run_release(&run);
    buffer_release(&at);
    buffer_release(&on);
    buffer_release(&features);
}

static void test_run__without_status_and_features_there_are_moments_alone(void **state)
{
    static const int64_t since_2000[] = {7};
    struct buffer at = {0};
    struct buffer features = features_of(NULL, 0);
    struct run_cells cells = {.features = cell_of(&features)};
    struct run run = {0};

    (void)state;
    put_array(&at, since_2000, 1, 8);
    cells.moments = cell_of(&at);
    run_read(&run, &cells, 1, 0, false);
    assert_int_equal(run.moments_us[0], PG_EPOCH_US + 7);
    assert_int_equal(run.statuses[0], 0);
    run_release(&run);
    buffer_release(&at);
    buffer_release(&features);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_run__a_chunk_is_told_as_it_was_packed),
        cmocka_unit_test(test_run__rows_are_told_in_the_order_in_which_they_come),
        cmocka_unit_test(test_run__without_status_and_features_there_are_moments_alone)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
