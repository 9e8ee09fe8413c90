#include "shared/base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void test_log__what_is_escaped_is_printable_and_fits(void **state)
{
    static const struct {
        const char *data;
        size_t bytes;
        const char *shown;
    } cases[] = {
        {"", 0, ""},
        {"plain", 5, "plain"},
        {"a\\b", 3, "a\\x5cb"},
        {"\n\x1b[2J", 5, "\\x0a\\x1b[2J"},
        {"a\0b", 3, "a\\x00b"},
        {"\x7f\xc3\xa9", 3, "\\x7f\\xc3\\xa9"},
        {"of twenty bytes, all", 20, "of twenty by..."},
        {"012345678\n\n", 11, "012345678..."},
    };
    char out[16];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_ptr_equal(log_escaped(out, sizeof(out), cases[i].data, cases[i].bytes), out);
        assert_string_equal(out, cases[i].shown);
    }
}

static void test_log__every_byte_in_every_room_stays_within_it(void **state)
{
    unsigned char all[256];
    char out[64];

    (void)state;
    for (size_t i = 0; i < sizeof(all); i++)
        all[i] = (unsigned char)i;
    for (size_t room = 5; room < sizeof(out) - 1; room++) {
        for (size_t from = 0; from < sizeof(all); from++) {
            memset(out, '~', sizeof(out));
            log_escaped(out, room, all + from, sizeof(all) - from);
            assert_true(strlen(out) < room);
            assert_int_equal(out[room], '~');
        }
    }
}

static FILE *journal; /* what standard error is made instead of a file of its own */

/* What is written of a text: by log_line(), without the time, or as a complaint. */
static const char *written(char *out, size_t bytes, const char *text, bool is_complaint)
{
    FILE *file = journal ? journal : tmpfile();
    int kept = dup(STDERR_FILENO);
    size_t got;

    assert_non_null(file);
    fflush(stderr);
    dup2(fileno(file), STDERR_FILENO);
    if (is_complaint)
        log_complaint("what", text);
    else
        log_info("%s", text);
    fflush(stderr);
    dup2(kept, STDERR_FILENO);
    close(kept);
    assert_int_equal(fseek(file, 0, SEEK_SET), 0);
    got = fread(out, 1, bytes - 1, file);
    out[got] = '\0';
    if (file != journal)
        fclose(file);
    else
        assert_true(ftruncate(fileno(file), 0) == 0 && lseek(fileno(file), 0, SEEK_SET) == 0);
    return is_complaint || !strstr(out, " info ") ? out : strstr(out, " info ") + 6;
}

static const char *logged(char *out, size_t bytes, const char *text)
{
    return written(out, bytes, text, false);
}

static void test_log__a_line_is_one_line_of_what_can_be_seen(void **state)
{
    static const char *const cases[][2] = {
        {"plain, \xc3\xa9 \xe6\xb8\xa9 \xf0\x9f\x8c\xa1 a\\b",
         "plain, \xc3\xa9 \xe6\xb8\xa9 \xf0\x9f\x8c\xa1 a\\b\n"},
        {"two\nlines\r", "two\\x0alines\\x0d\n"},
        {"\x1b[2J\x7f\t", "\\x1b[2J\\x7f\\x09\n"},
        {"\xff\xc3", "\\xff\\xc3\n"},
        {"\xc2\x9b", "\\xc2\\x9b\n"}, /* C1: an escape sequence's start */
        {"a\xe2\x80\x8b"
         "b",
         "a\\xe2\\x80\\x8b"
         "b\n"}, /* a space of no width, as one of those that cannot be seen */
    };
    char out[4096];
    char many[3000];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_string_equal(logged(out, sizeof(out), cases[i][0]), cases[i][1]);
    memset(many, '\n', sizeof(many) - 1);
    many[sizeof(many) - 1] = '\0';
    logged(out, sizeof(out), many);
    assert_in_range(strlen(out), 2000, 2048);
    assert_ptr_equal(strchr(out, '\n'), out + strlen(out) - 1);
}

static void test_log__a_complaint_keeps_its_lines(void **state)
{
    static const char *const cases[][2] = {
        {"why", "highwater: what: why\n"},
        {"why\n", "highwater: what: why\n"},
        {"", "highwater: what: \n"},
        {"one\n\ttwo\nthree\x1b[2J\n", "highwater: what: one\n  two\nthree\\x1b[2J\n"},
        {"a\n\t\nb", "highwater: what: a\n  \nb\n"},
    };
    char out[256];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_string_equal(written(out, sizeof(out), cases[i][0], true), cases[i][1]);
}

/* As systemd does for a unit: the variable names the file that standard error is. */
static void name_journal(const char *more)
{
    FILE *file = tmpfile();
    struct stat status;
    char name[64];

    assert_non_null(file);
    assert_int_equal(fstat(fileno(file), &status), 0);
    snprintf(name, sizeof(name), "%ju:%ju%s", (uintmax_t)status.st_dev, (uintmax_t)status.st_ino,
             more);
    setenv("JOURNAL_STREAM", name, 1);
    journal = file;
}

static void test_log__the_journal_is_given_priorities_and_no_time(void **state)
{
    char out[4096];
    FILE *kept;

    (void)state;
    name_journal("");
    assert_string_equal(logged(out, sizeof(out), "one\ntwo"), "<6>one\\x0atwo\n");
    assert_string_equal(written(out, sizeof(out), "why\n\tand\n", true),
                        "<3>highwater: what: why\n<3>  and\n");
    /* standard error was sent elsewhere; the journal's file is kept, so that its number is not another's */
    kept = journal;
    journal = NULL;
    assert_string_equal(written(out, sizeof(out), "why", true), "highwater: what: why\n");
    fclose(kept);
    name_journal("x");
    assert_string_equal(written(out, sizeof(out), "why", true), "highwater: what: why\n");
    fclose(journal);
    journal = NULL;
    unsetenv("JOURNAL_STREAM");
}

static void test_log__each_level_has_its_priority(void **state)
{
    static const char *const marks[] = {"<7>", "<6>", "<4>", "<3>"};
    int kept = dup(STDERR_FILENO);

    (void)state;
    name_journal("");
    dup2(fileno(journal), STDERR_FILENO);
    for (int level = LOG_LEVEL_DEBUG; level <= LOG_LEVEL_ERROR; level++)
        assert_string_equal(log_mark((enum log_level)level), marks[level]);
    dup2(kept, STDERR_FILENO);
    close(kept);
    fclose(journal);
    journal = NULL;
    unsetenv("JOURNAL_STREAM");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_log__what_is_escaped_is_printable_and_fits),
        cmocka_unit_test(test_log__a_line_is_one_line_of_what_can_be_seen),
        cmocka_unit_test(test_log__a_complaint_keeps_its_lines),
        cmocka_unit_test(test_log__the_journal_is_given_priorities_and_no_time),
        cmocka_unit_test(test_log__each_level_has_its_priority),
        cmocka_unit_test(test_log__every_byte_in_every_room_stays_within_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
