#include "devicesim/csv.h"

#include "shared/base/timestamp.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static bool split(struct csv_row *row, char *line, const char *text)
{
    char error[CSV_ERROR_SIZE];

    *row = (struct csv_row){0};
    strcpy(line, text);
    return csv_split(row, line, error);
}

static void test_csv__lines_are_split(void **state)
{
    static const struct {
        const char *line;
        size_t count;
        const char *fields[4];
    } cases[] = {
        {"", 1, {""}},
        {"a", 1, {"a"}},
        {"a,b", 2, {"a", "b"}},
        {",", 2, {"", ""}},
        {"a,,c\r", 3, {"a", "", "c"}},
        {"\"a\"", 1, {"a"}},
        {"\"a,b\",c", 2, {"a,b", "c"}},
        {"\"a\"\"b\",\"\",c", 3, {"a\"b", "", "c"}},
        {"a\"b,c", 2, {"a\"b", "c"}},
        {"\"\"\"\"", 1, {"\""}},
        {"x,\"y\"", 2, {"x", "y"}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct csv_row row;
        char line[64];

        assert_true(split(&row, line, cases[i].line));
        assert_int_equal(row.count, cases[i].count);
        for (size_t j = 0; j < row.count; j++)
            assert_string_equal(row.fields[j], cases[i].fields[j]);
    }
}

static void test_csv__unmatched_quotes_and_too_many_fields_are_refused(void **state)
{
    struct csv_row row;
    char line[256];
    char many[CSV_FIELDS_MAX + 2];

    (void)state;
    assert_false(split(&row, line, "\"a"));
    assert_false(split(&row, line, "\"a\"b"));
    assert_false(split(&row, line, "a,\"b,c"));
    memset(many, ',', CSV_FIELDS_MAX);
    many[CSV_FIELDS_MAX] = '\0';
    assert_false(split(&row, line, many));
    many[CSV_FIELDS_MAX - 1] = '\0';
    assert_true(split(&row, line, many));
}

static bool columns_of(struct csv_columns *columns, const char *text)
{
    struct csv_row row;
    char line[1024] = "";
    char error[CSV_ERROR_SIZE];

    return split(&row, line, text) && csv_columns_parse(columns, &row, error);
}

static void test_csv__headers_are_read(void **state)
{
    struct csv_columns columns = {0};

    (void)state;
    assert_true(columns_of(&columns, "timestamp,deviceId,temperature,pressure"));
    assert_int_equal(columns.names.count, 2);
    assert_int_equal(columns.features[1], 3);
    assert_int_equal(columns.status, CSV_FIELDS_MAX);
    assert_true(columns_of(&columns, "a,status,deviceId,timestamp"));
    assert_int_equal(columns.status, 1);
    assert_int_equal(columns.timestamp, 3);
    assert_string_equal(columns.names.names[0], "a");

    assert_false(columns_of(&columns, "timestamp,deviceId"));
    assert_false(columns_of(&columns, "timestamp,temperature"));
    assert_false(columns_of(&columns, "deviceId,temperature"));
    assert_false(columns_of(&columns, "timestamp,deviceId,-temperature"));
    assert_false(columns_of(&columns, "timestamp,deviceId,a,a"));
    assert_false(columns_of(&columns, "timestamp,deviceId,\"a,b\""));
    assert_false(columns_of(&columns, "timestamp,deviceId,"));
    assert_false(
        columns_of(&columns, "timestamp,deviceId,a_name_of_more_than_thirty_one_characters"));
}

static bool reading_of(union reading_storage *out, char *device_id, const char *header,
                       const char *text)
{
    struct csv_columns columns = {0};
    struct csv_row row;
    char line[1024];
    char error[CSV_ERROR_SIZE];
    const char *id = "";

    assert_true(columns_of(&columns, header));
    if (!split(&row, line, text) || !csv_reading_parse(&out->reading, &id, &columns, &row, error))
        return false;
    strcpy(device_id, id);
    return true;
}

static void test_csv__a_real_row_becomes_its_instant_in_utc(void **state)
{
    union reading_storage reading = {.reading = {0}};
    char id[64] = "";
    int64_t expected = 0;

    (void)state;
    assert_true(timestamp_parse(&expected, "2013-02-28T16:00:00Z"));
    assert_true(reading_of(&reading, id, "timestamp,deviceId,temperature,pressure",
                           "2013-03-01T00:00:00+08:00,Aotizhongxin,-0.7,1023"));
    assert_string_equal(id, "Aotizhongxin");
    assert_true(reading.reading.recorded_at_us == expected);
    assert_true(reading.reading.values[0] == -0.7 && reading.reading.values[1] == 1023);
    assert_int_equal(reading.reading.status, STATUS_ABSENT);
}

static void test_csv__an_empty_field_is_absent(void **state)
{
    union reading_storage reading = {.reading = {0}};
    char id[64] = "";

    (void)state;
    assert_true(
        reading_of(&reading, id, "timestamp,deviceId,status,a,b", "2013-03-01T00:00:00Z,x,,,2"));
    assert_true(isnan(reading.reading.values[0]) && reading.reading.values[1] == 2);
    assert_int_equal(reading.reading.status, STATUS_ABSENT);
    assert_true(reading_of(&reading, id, "timestamp,deviceId,status,a,b",
                           "2013-03-01T00:00:00Z,x,OFF,-0,"));
    assert_true(reading.reading.values[0] == 0 && !signbit(reading.reading.values[0]));
    assert_int_equal(reading.reading.status, STATUS_OFF);
}

static void test_csv__what_is_no_reading_is_refused(void **state)
{
    static const char *const lines[] = {
        "2013-03-01T00:00:00Z,x,ON,1",     /* too few */
        "2013-03-01T00:00:00Z,x,ON,1,2,3", /* too many */
        "yesterday,x,ON,1,2",
        "2013-02-29T00:00:00Z,x,ON,1,2",
        "2013-03-01T00:00:00Z,,ON,1,2",
        "2013-03-01T00:00:00Z,a/b,ON,1,2",
        "2013-03-01T00:00:00Z,x,on,1,2",
        "2013-03-01T00:00:00Z,x,ON,one,2",
        "2013-03-01T00:00:00Z,x,ON,1 ,2",
        "2013-03-01T00:00:00Z,x,ON,nan,2",
        "2013-03-01T00:00:00Z,x,ON,1e999,2",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        union reading_storage reading;
        char id[64];

        if (reading_of(&reading, id, "timestamp,deviceId,status,a,b", lines[i]))
            fail_msg("\"%s\" was accepted", lines[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_csv__lines_are_split),
        cmocka_unit_test(test_csv__unmatched_quotes_and_too_many_fields_are_refused),
        cmocka_unit_test(test_csv__headers_are_read),
        cmocka_unit_test(test_csv__a_real_row_becomes_its_instant_in_utc),
        cmocka_unit_test(test_csv__an_empty_field_is_absent),
        cmocka_unit_test(test_csv__what_is_no_reading_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
