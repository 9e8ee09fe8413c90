/* What a file of tokens says, what is wrong with one, and that no word of it is ever shown. */
#include "httpapi/tokens.h"

#include "tests/unit/temp_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define A "aaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbb"

static char error[400];

static struct tokens *parse(const char *text)
{
    return tokens_parse(text, strlen(text), error, sizeof(error));
}

static unsigned find(const struct tokens *tokens, const char *token)
{
    return tokens_find(tokens, token, strlen(token));
}

static void test_tokens__a_line_is_groups_and_a_token(void **state)
{
    struct tokens *tokens =
        parse("# who\n\n  read,events \t " A " \r\n\tall " B "\n#all " A "x\n   \n"
              "page -._~+/0aZ-._~+/==");

    (void)state;
    assert_non_null(tokens);
    assert_int_equal(tokens_count(tokens), 3);
    assert_int_equal(find(tokens, A), TOKEN_READ | TOKEN_EVENTS);
    assert_int_equal(find(tokens, B), TOKEN_ALL);
    assert_int_equal(find(tokens, "-._~+/0aZ-._~+/=="), TOKEN_PAGE);
    tokens_free(tokens);
}

static void test_tokens__only_the_whole_token_is_one(void **state)
{
    static const char *const none[] = {
        "",    "a",    A "a",  "aaaaaaaaaaaaaaa", "AAAAAAAAAAAAAAAA", A "\xc3\xa4", " " A,
        A " ", "read", A ":" B};
    struct tokens *tokens = parse("all " A "\nread " B "\n");

    (void)state;
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
        assert_int_equal(find(tokens, none[i]), 0);
    assert_int_equal(tokens_find(tokens, A "\0", 17), 0);
    assert_int_equal(tokens_find(tokens, A "more", 16), TOKEN_ALL);
    tokens_free(tokens);
}

static void test_tokens__what_is_wrong_is_said_by_its_line_and_shows_no_word(void **state)
{
    static const struct {
        const char *text;
        const char *says;
    } cases[] = {
        {"", "no token"},
        {"# only this\n\n", "no token"},
        {A, "line 1: a line has groups and then a token"},
        {"read\n", "line 1: a line has groups"},
        {"# x\nread " A " " B, "line 2: a line has groups"},
        {"read " A " # mine", "line 1: a line has groups"},
        {A " read", "line 1: group 1 is none of read, events, metrics, page, "
                    "rejected and all"},
        {"read,write " A, "group 2 is none"},
        {"read,,events " A, "group 2 is none"},
        {"read, " A, "group 2 is none"},
        {",read " A, "group 1 is none"},
        {"READ " A, "group 1 is none"},
        {"probes " A, "group 1 is none"},
        {"\xef\xbb\xbfread " A, "group 1 is none"},
        {"read aaaaaaaaaaaaaaa", "this one has 15 bytes"},
        {"read hunter2", "this one has 7 bytes"},
        {"read " A "=a", "a token has 16 to 512"},
        {"read ================", "a token has 16 to 512"},
        {"read " A "\xc3\xa4", "a token has 16 to 512"},
        {"read " A ":", "a token has 16 to 512"},
        {"read \"" A "\"", "a token has 16 to 512"},
        {"read " A "\r\nevents " B "\n\nall " A "\n", "line 4: the token stands on a line before"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_null(parse(cases[i].text));
        if (!strstr(error, cases[i].says))
            fail_msg("%s: %s", cases[i].text, error);
        assert_null(strstr(error, "aaaa"));
        assert_null(strstr(error, "bbbb"));
        assert_null(strstr(error, "hunter"));
    }
    assert_null(tokens_parse("read " A "\0", 22, error, sizeof(error)));
}

static void test_tokens__longest_and_most(void **state)
{
    char text[TOKENS_MAX * 32 + 64];
    char one[TOKEN_MOST_BYTES + 2];
    char line[TOKEN_MOST_BYTES + 16];
    size_t used = 0;
    struct tokens *tokens;

    (void)state;
    memset(one, 'x', sizeof(one));
    one[TOKEN_MOST_BYTES] = '\0';
    snprintf(line, sizeof(line), "all %s", one);
    tokens = parse(line);
    assert_non_null(tokens);
    assert_int_equal(find(tokens, one), TOKEN_ALL);
    tokens_free(tokens);
    one[TOKEN_MOST_BYTES] = 'x';
    one[TOKEN_MOST_BYTES + 1] = '\0';
    snprintf(line, sizeof(line), "all %s", one);
    assert_null(parse(line));
    for (unsigned i = 0; i < TOKENS_MAX; i++)
        used += (size_t)snprintf(text + used, sizeof(text) - used, "read %016u\n", i);
    tokens = parse(text);
    assert_int_equal(tokens_count(tokens), TOKENS_MAX);
    assert_int_equal(find(tokens, "0000000000000999"), TOKEN_READ);
    tokens_free(tokens);
    snprintf(text + used, sizeof(text) - used, "read %016d\n", (int)TOKENS_MAX);
    assert_null(parse(text));
    assert_non_null(strstr(error, "line 1001: there are more than 1000"));
}

static void test_tokens__files_are_equal_when_they_let_in_the_same(void **state)
{
    struct tokens *one = parse("all " A "\nread " B);
    struct tokens *same = parse("# new words\nall\t" A "\n\nread " B "\n");
    struct tokens *other = parse("all " A "\nevents " B);
    struct tokens *less = parse("all " A);

    (void)state;
    assert_true(tokens_are_equal(one, same));
    assert_false(tokens_are_equal(one, other));
    assert_false(tokens_are_equal(one, less));
    assert_false(tokens_are_equal(less, one));
    tokens_free(one);
    tokens_free(same);
    tokens_free(other);
    tokens_free(less);
}

static void write_file(const char *path, const char *text, mode_t mode)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(chmod(path, mode), 0);
}

static void test_tokens__a_file_that_others_can_read_is_told(void **state)
{
    const struct temp_file *file = *state;
    struct tokens *tokens;
    bool is_open = false;

    write_file(file->path, "all " A "\n", 0644);
    tokens = tokens_read(file->path, &is_open, error, sizeof(error));
    assert_non_null(tokens);
    assert_true(is_open);
    tokens_free(tokens);
    assert_int_equal(chmod(file->path, 0640), 0);
    tokens = tokens_read(file->path, &is_open, error, sizeof(error));
    assert_non_null(tokens);
    assert_false(is_open);
    tokens_free(tokens);
}

static void test_tokens__a_file_of_no_use_is_named_and_a_token_in_its_place_is_not(void **state)
{
    const struct temp_file *file = *state;
    bool is_open;

    write_file(file->path, "", 0600);
    assert_null(tokens_read(file->path, &is_open, error, sizeof(error)));
    assert_non_null(strstr(error, file->path));
    assert_non_null(strstr(error, "TOKEN_FILE: "));
    assert_null(tokens_read("/tmp", &is_open, error, sizeof(error)));
    assert_non_null(strstr(error, "/tmp: Is a directory"));
    assert_int_equal(truncate(file->path, 1000000), 0);
    assert_null(tokens_read(file->path, &is_open, error, sizeof(error)));
    assert_non_null(strstr(error, "more than"));
    assert_null(tokens_read("/dev/zero", &is_open, error, sizeof(error)));
    assert_non_null(strstr(error, "/dev/zero: it is no regular file"));
    assert_int_equal(unlink(file->path), 0);
    assert_int_equal(mkfifo(file->path, 0600), 0);
    assert_null(tokens_read(file->path, &is_open, error, sizeof(error))); /* nobody writes to it */
    assert_non_null(strstr(error, "it is no regular file"));
    assert_null(tokens_read(A B, &is_open, error, sizeof(error)));
    assert_null(strstr(error, "aaaa"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tokens__a_line_is_groups_and_a_token),
        cmocka_unit_test(test_tokens__only_the_whole_token_is_one),
        cmocka_unit_test(test_tokens__what_is_wrong_is_said_by_its_line_and_shows_no_word),
        cmocka_unit_test(test_tokens__longest_and_most),
        cmocka_unit_test(test_tokens__files_are_equal_when_they_let_in_the_same),
        cmocka_unit_test_setup_teardown(test_tokens__a_file_that_others_can_read_is_told,
                                        temp_file_setup, temp_file_teardown),
        cmocka_unit_test_setup_teardown(
            test_tokens__a_file_of_no_use_is_named_and_a_token_in_its_place_is_not, temp_file_setup,
            temp_file_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
