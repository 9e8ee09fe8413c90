/* What is sent to Redis, byte for byte. */
#include "collector/sinks/redis_command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct test {
    struct features features;
    struct redis_command command;
    struct buffer bytes;
    struct redis_put put;
};

static int setup(void **state)
{
    struct test *t = calloc(1, sizeof(*t));
    char error[128];

    assert_non_null(t);
    assert_true(features_parse(&t->features, "one,two", error, sizeof(error)));
    t->put = (struct redis_put){.collector_id = "c",
                                .sha = "0123456789012345678901234567890123456789",
                                .features = &t->features,
                                .turn = 3,
                                .generation = 7,
                                .expiry_ms = 60000};
    *state = t;
    return 0;
}

static int teardown(void **state)
{
    struct test *t = *state;

    redis_command_release(&t->command);
    buffer_release(&t->bytes);
    free(t);
    return 0;
}

/* The arguments, with | between them, of what RESP says. */
static char *sent(struct test *t)
{
    size_t bytes;
    char *formatted = redis_command_format(&t->command, &bytes);
    struct buffer out = {0};
    char *at = formatted;
    long count = strtol(at + 1, &at, 10);

    assert_int_equal(formatted[0], '*');
    for (long i = 0; i < count; i++) {
        long length = strtol(at + 3, &at, 10); /* behind \r\n$ */

        if (i > 0)
            buffer_put_text(&out, "|");
        buffer_put(&out, at + 2, (size_t)length);
        at += 2 + length;
    }
    assert_int_equal(at + 2 - formatted, bytes);
    free(formatted);
    buffer_text(&out);
    return (char *)out.data;
}

static void assert_sent(struct test *t, const char *expected)
{
    char *text = sent(t);

    assert_string_equal(text, expected);
    free(text);
}

static void test_redis_command__arguments_may_hold_any_bytes(void **state)
{
    struct test *t = *state;
    size_t bytes;
    char *formatted;

    redis_command_begin(&t->command, "SET");
    redis_command_add(&t->command, "a\0b\r\n", 5);
    redis_command_add(&t->command, "", 0);
    formatted = redis_command_format(&t->command, &bytes);
    assert_int_equal(bytes, 30);
    assert_memory_equal(formatted, "*3\r\n$3\r\nSET\r\n$5\r\na\0b\r\n\r\n$0\r\n\r\n", bytes);
    free(formatted);
}

static void test_redis_command__a_board_has_keys_in_one_slot_and_exact_numbers(void **state)
{
    struct test *t = *state;
    union reading_storage storage = {0};
    struct board_entry entry = {.device_id = "d", .reading = &storage.reading};
    struct board_head head = {.feature = "two",
                              .interval = "1m",
                              .order = ORDER_HIGHEST,
                              .generation = 1764201600000001,
                              .is_exact = true};
    struct sink_item item = {
        .what = SINK_BOARD, .bytes = &t->bytes, .head = &head, .entries = &entry, .entry_count = 1};

    buffer_put_text(&t->bytes, "{board}");
    storage.reading.values[0] = 1;
    storage.reading.values[1] = 0.1 + 0.2;
    redis_command_put(&t->command, &t->put, &item);
    assert_sent(t, "EVALSHA|0123456789012345678901234567890123456789|4|highwater:{c:two:1m}:board|"
                   "highwater:{c:two:1m}:version|highwater:{c:two:1m}:ranking|"
                   "highwater:{c:two:1m}:readings|3|1764201600000001|60000|"
                   "highwater:boards:c:two:1m|{board}|d|0.30000000000000004|"
                   "{\"deviceId\":\"d\",\"timestamp\":\"1970-01-01T00:00:00.000000Z\",\"status\":"
                   "null,\"one\":1,\"two\":0.30000000000000004}");
    head.order = ORDER_LOWEST;
    item.entry_count = 0;
    redis_command_put(&t->command, &t->put, &item);
    assert_sent(t, "EVALSHA|0123456789012345678901234567890123456789|4|"
                   "highwater:{c:two:1m:lowest}:board|highwater:{c:two:1m:lowest}:version|"
                   "highwater:{c:two:1m:lowest}:ranking|highwater:{c:two:1m:lowest}:readings|3|"
                   "1764201600000001|60000|highwater:boards:c:two:1m:lowest|{board}");
}

static void test_redis_command__a_status_and_a_line(void **state)
{
    struct test *t = *state;
    struct sink_item item = {.what = SINK_STATUS, .bytes = &t->bytes};

    buffer_put_text(&t->bytes, "{}");
    redis_command_put(&t->command, &t->put, &item);
    assert_sent(t, "EVALSHA|0123456789012345678901234567890123456789|2|highwater:{c}:status|"
                   "highwater:{c}:status:version|3|7|60000|highwater:status:c|{}");
    item.what = SINK_LINE;
    redis_command_put(&t->command, &t->put, &item);
    assert_sent(t, "PUBLISH|highwater:rejected:c|{}");
}

#define COMMAND_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        COMMAND_TEST(test_redis_command__arguments_may_hold_any_bytes),
        COMMAND_TEST(test_redis_command__a_board_has_keys_in_one_slot_and_exact_numbers),
        COMMAND_TEST(test_redis_command__a_status_and_a_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
