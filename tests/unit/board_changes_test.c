/* Whatever two boards are: the first and the changes are the second. */
#include "httpapi/board_changes.h"

#include "shared/base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ENTRIES_MAX = 12, KINDS = 6, ROUNDS = 20000 };

/* None is the beginning of another; what divides elements stands in them, too. */
static const char *const kinds[KINDS] = {
    "{\"deviceId\":\"a\",\"t\":1}",
    "{\"deviceId\":\"b\",\"t\":1}",
    "{\"deviceId\":\"],[},{\",\"t\":null}",
    "{\"deviceId\":\"\\\"},{\\\\\",\"t\":-1e-7}",
    "{\"deviceId\":\"\xd7\x90\",\"list\":[1,{\"x\":[]},\"]\"]}",
    "{\"deviceId\":\"long, so that a board is seldom shorter than what changed of it\",\"t\":2}",
};

struct board {
    const char *items[2 * ENTRIES_MAX];
    size_t count;
};

static void write_board(struct buffer *out, const struct board *board)
{
    buffer_put_text(out, "[");
    for (size_t i = 0; i < board->count; i++) {
        buffer_put_text(out, i > 0 ? "," : "");
        buffer_put_text(out, board->items[i]);
    }
    buffer_put_text(out, "]");
}

static const char *take(const char *text, const char *expected)
{
    assert_memory_equal(text, expected, strlen(expected));
    return text + strlen(expected);
}

static const char *take_kind(const char *text, const char **kind)
{
    for (size_t i = 0; i < KINDS; i++) {
        if (strncmp(text, kinds[i], strlen(kinds[i])) == 0) {
            *kind = kinds[i];
            return text + strlen(kinds[i]);
        }
    }
    fail_msg("no reading: %s", text);
    return NULL;
}

/* As a client does it, who trusts nothing. */
static void apply(struct board *board, const char *text)
{
    struct board kept = {0};
    size_t next = 0;
    char *end;

    text = take(text, "\"removed\":[");
    while (*text != ']') {
        size_t place = strtoul(text, &end, 10);

        assert_true(place >= next && place < board->count);
        for (; next < place; next++)
            kept.items[kept.count++] = board->items[next];
        next = place + 1;
        text = end + (*end == ',');
    }
    for (; next < board->count; next++)
        kept.items[kept.count++] = board->items[next];
    text = take(text, "],\"added\":[");
    while (*text != ']') {
        size_t place = strtoul(take(text, "{\"place\":"), &end, 10);

        assert_true(place <= kept.count);
        memmove(&kept.items[place + 1], &kept.items[place],
                (kept.count - place) * sizeof(kept.items[0]));
        text = take(take_kind(take(end, ",\"reading\":"), &kept.items[place]), "}");
        kept.count++;
        text += *text == ',';
    }
    assert_string_equal(text, "]");
    *board = kept;
}

static bool write_changes(struct buffer *out, const struct board *before, const struct board *after)
{
    struct buffer old = {0};
    struct buffer new = {0};
    bool is_shorter;

    write_board(&old, before);
    write_board(&new, after);
    is_shorter = board_changes_write(out, &old, &new);
    assert_true(is_shorter ? out->bytes < new.bytes : out->bytes == 0);
    buffer_release(&old);
    buffer_release(&new);
    return is_shorter;
}

static void test_board_changes__before_and_changes_are_after(void **state)
{
    uint64_t random = 20261127;
    size_t changes = 0;

    (void)state;
    for (size_t round = 0; round < ROUNDS; round++) {
        struct board before = {.count = random_below(&random, ENTRIES_MAX)};
        struct board after;
        struct buffer out = {0};

        for (size_t i = 0; i < before.count; i++)
            before.items[i] = kinds[random_below(&random, KINDS)];
        after = before;
        for (size_t steps = random_below(&random, 5); steps > 0; steps--) {
            size_t place = random_below(&random, after.count + 1);

            if (random_below(&random, 2) && place < after.count) {
                after.count--;
                memmove(&after.items[place], &after.items[place + 1],
                        (after.count - place) * sizeof(after.items[0]));
            } else {
                memmove(&after.items[place + 1], &after.items[place],
                        (after.count - place) * sizeof(after.items[0]));
                after.items[place] = kinds[random_below(&random, KINDS)];
                after.count++;
            }
        }
        if (write_changes(&out, &before, &after)) {
            apply(&before, buffer_text(&out));
            assert_int_equal(before.count, after.count);
            for (size_t i = 0; i < after.count; i++)
                assert_ptr_equal(before.items[i], after.items[i]);
            changes++;
        }
        buffer_release(&out);
    }
    assert_true(changes > ROUNDS / 4);
}

static void test_board_changes__say_what_changed_and_no_more(void **state)
{
    struct board before = {.items = {kinds[0], kinds[1], kinds[2], kinds[4]}, .count = 4};
    struct board after = {.items = {kinds[5], kinds[0], kinds[2], kinds[4]}, .count = 4};
    struct buffer out = {0};

    (void)state;
    assert_true(write_changes(&out, &before, &after));
    assert_string_equal(
        buffer_text(&out),
        "\"removed\":[1],\"added\":[{\"place\":0,\"reading\":{\"deviceId\":\"long, so that "
        "a board is seldom shorter than what changed of it\",\"t\":2}}]");
    buffer_release(&out);
}

static void test_board_changes__nothing_where_the_whole_is_shorter(void **state)
{
    struct board before = {.items = {kinds[0], kinds[1]}, .count = 2};
    struct board empty = {0};
    struct buffer out = {0};

    (void)state;
    assert_false(write_changes(&out, &before, &empty));
    assert_false(write_changes(&out, &empty, &before));
    assert_false(write_changes(&out, &empty, &empty));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_board_changes__before_and_changes_are_after),
        cmocka_unit_test(test_board_changes__say_what_changed_and_no_more),
        cmocka_unit_test(test_board_changes__nothing_where_the_whole_is_shorter),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
