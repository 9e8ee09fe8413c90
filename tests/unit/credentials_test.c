#include "devicesim/credentials.h"

#include "tests/unit/temp_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void test_credentials__are_read_line_by_line(void **state)
{
    struct credentials credentials = {0};
    char lines[][32] = {
        "device_1:secret", "device_2:with:colon\r", "# note:x", "", "nothing", ":nobody",
        "device_3:",       "device_1:changed"};
    static const bool is_entry[] = {true, true, false, false, false, false, true, true};

    (void)state;
    for (size_t i = 0; i < sizeof(is_entry) / sizeof(is_entry[0]); i++)
        assert_int_equal(credentials_add(&credentials, lines[i]), is_entry[i]);
    assert_string_equal(credentials_password(&credentials, "device_1"), "changed");
    assert_string_equal(credentials_password(&credentials, "device_2"), "with:colon");
    assert_string_equal(credentials_password(&credentials, "device_3"), "");
    assert_null(credentials_password(&credentials, "device_4"));
    credentials_release(&credentials);
    assert_null(credentials_password(&credentials, "device_1"));
}

static void write_file(const struct temp_file *f, const char *text)
{
    FILE *file = fopen(f->path, "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void test_credentials__are_read_from_a_file(void **state)
{
    struct temp_file *f = *state;
    struct credentials credentials;
    char error[256] = "";

    write_file(f, "# who: may\n\ndevice_1:one\ndevice_2:two");
    assert_true(credentials_read(&credentials, f->path, error, sizeof(error)));
    assert_string_equal(credentials_password(&credentials, "device_1"), "one");
    assert_string_equal(credentials_password(&credentials, "device_2"), "two");
    assert_null(credentials_password(&credentials, "# who"));
    credentials_release(&credentials);
}

static void test_credentials__a_file_that_has_none_is_refused(void **state)
{
    struct temp_file *f = *state;
    struct credentials credentials;
    char error[256] = "";

    write_file(f, "# nothing\n\n");
    assert_false(credentials_read(&credentials, f->path, error, sizeof(error)));
    assert_non_null(strstr(error, "at least one name:password line"));
    assert_false(credentials_read(&credentials, "/nowhere/at/all", error, sizeof(error)));
    assert_non_null(strstr(error, "that can be read"));
    assert_null(credentials_password(&credentials, "device_1"));
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, temp_file_setup, temp_file_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_credentials__are_read_line_by_line),
        CASE(test_credentials__are_read_from_a_file),
        CASE(test_credentials__a_file_that_has_none_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
