#include "httpapi/crossings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { DEVICES = 300, NOW_MS = 5000 };

struct fixture {
    struct crossings *crossings;
    struct speakers speakers;
    struct speaker live;
    struct speaker other;
    struct crossings_page page;
};

static void set_up_speaker(struct speaker *speaker, const char *id)
{
    *speaker = (struct speaker){
        .state = COLLECTOR_LIVE, .is_heard = true, .is_known = true, .heard_ms = NOW_MS};
    snprintf(speaker->id, sizeof(speaker->id), "%s", id);
}

static int set_up(void **state)
{
    static char known[2][DEVICE_ID_SIZE] = {"live", "other"};
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    f->crossings = crossings_new();
    set_up_speaker(&f->live, "live");
    set_up_speaker(&f->other, "other");
    f->speakers =
        (struct speakers){.known_count = 2, .known = known, .has_known = true, .count = 2};
    f->speakers.items[0] = &f->live;
    f->speakers.items[1] = &f->other;
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    crossings_free(f->crossings);
    free(f);
    return 0;
}

static bool apply(struct fixture *f, const char *topic, const char *payload)
{
    const char *fault;

    assert_true(crossings_have(topic));
    return crossings_apply(f->crossings, &f->speakers, topic, payload, strlen(payload), &fault);
}

static bool say(struct fixture *f, const char *collector, const char *place, int device,
                int64_t second)
{
    char topic[200];
    char payload[200];

    snprintf(topic, sizeof(topic), "collectors/%s/thresholds/%s/d%d", collector, place, device);
    if (second < 0)
        payload[0] = '\0';
    else
        snprintf(payload, sizeof(payload),
                 "{\"deviceId\":\"d%d\",\"feature\":\"t\",\"%s\":90,\"value\":%d,"
                 "\"timestamp\":\"2026-11-27T10:%02d:%02dZ\"}",
                 device, strstr(place, "below") ? "below" : "above", device, (int)second / 60,
                 (int)second % 60);
    return apply(f, topic, payload);
}

static const struct crossings_page *ask(struct fixture *f, struct crossings_question question)
{
    static const struct params_cursor first;

    question.limit = question.limit ? question.limit : CROSSINGS_PAGE_MAX;
    question.after = question.after ? question.after : &first;
    crossings_ask(f->crossings, &f->speakers, NOW_MS, &question, &f->page);
    return &f->page;
}

static void test_crossings__pages_are_in_order_and_have_each_once(void **state)
{
    struct fixture *f = *state;
    int64_t seconds[DEVICES];
    size_t beyond = 0;

    srand(7);
    for (int i = 0; i < 4 * DEVICES; i++) { /* said again, elsewhere, and taken away */
        int device = rand() % DEVICES;

        seconds[device] = rand() % 4 == 0 ? -1 : rand() % 200;
        assert_true(say(f, "live", "t/above", device, seconds[device]));
    }
    for (int device = 0; device < DEVICES; device++) {
        seconds[device] = rand() % 3 == 0 ? -1 : rand() % 200; /* many at the same moment */
        assert_true(say(f, "live", "t/above", device, seconds[device]));
        beyond += seconds[device] >= 0;
    }
    assert_int_equal(crossings_count(f->crossings), beyond);
    for (int is_newest_first = 0; is_newest_first < 2; is_newest_first++) {
        bool is_seen[DEVICES] = {false};
        struct params_cursor after = {0};
        int64_t last_us = 0;
        size_t seen = 0;

        do {
            const struct crossings_page *page =
                ask(f, (struct crossings_question){
                           .limit = 7, .is_newest_first = is_newest_first, .after = &after});

            assert_int_equal(page->total, beyond);
            for (size_t i = 0; i < page->count; i++) {
                const struct crossing *one = page->items[i];
                int device = atoi(crossing_device(one) + 1);

                assert_false(is_seen[device]);
                is_seen[device] = true;
                assert_true(seconds[device] >= 0);
                assert_true(one->value == device && one->limit == 90 && !one->is_below);
                assert_true(seen == 0 || (is_newest_first ? one->since_us <= last_us
                                                          : one->since_us >= last_us));
                last_us = one->since_us;
                seen++;
            }
            after = (struct params_cursor){true, page->items[page->count - 1]->since_us,
                                           (int64_t)page->items[page->count - 1]->hash};
        } while (f->page.has_more);
        assert_int_equal(seen, beyond);
    }
}

static void test_crossings__those_of_a_feature_and_a_side_are_counted_by_threshold(void **state)
{
    struct fixture *f = *state;

    for (int device = 0; device < 5; device++) {
        say(f, "live", "t/above", device, device);
        say(f, "other", "t/below", device, device);
        say(f, "live", "tt/above", device, device);
    }
    assert_int_equal(ask(f, (struct crossings_question){0})->threshold_count, 3);
    assert_int_equal(f->page.total, 15);
    assert_int_equal(ask(f, (struct crossings_question){.feature = "t"})->total, 10);
    assert_int_equal(f->page.thresholds[0].devices + f->page.thresholds[1].devices, 10);
    ask(f, (struct crossings_question){.feature = "t", .is_of_side = true, .is_below = true});
    assert_int_equal(f->page.total, 5);
    assert_string_equal(crossing_collector(f->page.items[0]), "other");
    assert_int_equal(ask(f, (struct crossings_question){.feature = "ttt"})->total, 0);
}

static bool is_even(const void *wanted, const char *device_id)
{
    ++*(size_t *)wanted;
    return atoi(device_id + 1) % 2 == 0;
}

static void test_crossings__devices_that_are_looked_for_are_counted_alone(void **state)
{
    struct fixture *f = *state;
    struct buffer devices = {0};
    static const struct params_cursor first;
    size_t asked = 0;
    const struct crossings_question question = {.feature = "t",
                                                .is_newest_first = true,
                                                .limit = 3,
                                                .after = &first,
                                                .is_wanted = is_even,
                                                .wanted = &asked};

    for (int device = 0; device < 9; device++) {
        say(f, "live", "t/above", device, device);
        say(f, "live", "tt/above", device, device);
    }
    assert_int_equal(ask(f, question)->total, 5);
    assert_int_equal(asked, 9); /* of the other feature nobody is asked about */
    assert_int_equal(f->page.thresholds[0].devices, 5);
    assert_true(f->page.has_more);
    assert_string_equal(crossing_device(f->page.items[0]), "d8");
    assert_string_equal(crossing_device(f->page.items[2]), "d4");
    crossings_put_devices(
        f->crossings, &f->speakers, NOW_MS,
        &(struct crossings_question){.feature = "t", .is_of_side = true, .is_below = true},
        &devices);
    assert_string_equal(buffer_text(&devices), "[]");
    buffer_clear(&devices);
    say(f, "live", "t/below", 7, 7);
    say(f, "nobody", "t/below", 6, 6);
    crossings_put_devices(
        f->crossings, &f->speakers, NOW_MS,
        &(struct crossings_question){.feature = "t", .is_of_side = true, .is_below = true},
        &devices);
    assert_string_equal(buffer_text(&devices), "[\"d7\"]");
    buffer_release(&devices);
}

static void test_crossings__who_is_not_live_or_not_known_is_left_out(void **state)
{
    struct fixture *f = *state;

    say(f, "live", "t/above", 1, 1);
    say(f, "other", "t/above", 2, 2);
    say(f, "nobody", "t/above", 3, 3);
    f->live.beyond = f->other.beyond = 1;
    assert_int_equal(ask(f, (struct crossings_question){0})->total, 2);
    assert_true(f->page.is_complete);
    f->other.is_known = false;
    assert_int_equal(ask(f, (struct crossings_question){0})->total, 1);
    f->live.heard_ms = 1;
    assert_int_equal(ask(f, (struct crossings_question){0})->total, 0);
}

static void test_crossings__what_a_collector_counts_has_come_or_it_is_not_complete(void **state)
{
    struct fixture *f = *state;

    assert_true(ask(f, (struct crossings_question){0})->is_complete);
    f->live.beyond = 1;
    assert_false(ask(f, (struct crossings_question){0})->is_complete);
    say(f, "live", "t/above", 1, 1);
    assert_true(ask(f, (struct crossings_question){0})->is_complete);
    say(f, "live", "t/above", 2, 1);
    assert_false(ask(f, (struct crossings_question){0})->is_complete);
    say(f, "live", "t/above", 2, -1);
    f->other.beyond = -1; /* it does not know yet */
    assert_false(ask(f, (struct crossings_question){0})->is_complete);
    crossings_forget(f->crossings);
    assert_int_equal(ask(f, (struct crossings_question){0})->total, 0);
}

static void test_crossings__strangers_make_room(void **state)
{
    struct fixture *f = *state;
    char id[16];

    say(f, "live", "t/above", 1, 1);
    for (int i = 0; i < BOARD_CACHE_COLLECTORS_MAX - 1; i++) {
        snprintf(id, sizeof(id), "s%d", i);
        assert_true(say(f, id, "t/above", i, 1));
    }
    assert_true(say(f, "other", "t/above", 2, 1));
    assert_int_equal(crossings_count(f->crossings), 2);
    for (int i = 0; crossings_count(f->crossings) < CROSSINGS_MAX; i++)
        assert_true(say(f, i % 2 ? "stranger" : "another", "t/above", i, 1));
    assert_true(say(f, "live", "t/above", 7, 1));
    assert_int_equal(crossings_count(f->crossings), 3);
    for (int i = 8; crossings_count(f->crossings) < CROSSINGS_MAX; i++)
        assert_true(say(f, "live", "t/above", i, 1));
    assert_false(say(f, "live", "t/below", 1, 1));
    assert_true(say(f, "live", "t/above", 1, 2)); /* which is there */
    assert_true(say(f, "live", "t/above", 7, -1));
    assert_true(say(f, "live", "t/below", 1, 1));
}

static void test_crossings__what_is_none_is_not_taken(void **state)
{
    static const char *const topics[] = {
        "collectors//thresholds/t/above/d",   "collectors/a/thresholds/t/above",
        "collectors/a/thresholds/t/above/",   "collectors/a/thresholds/t/above/d/e",
        "collectors/a/thresholds/t/beyond/d", "collectors/a/thresholds//above/d",
        "collectors/a/thresholds/1t/above/d"};
    static const char *const payloads[] = {
        "x",
        "[]",
        "{}",
        "{\"above\":90,\"value\":91}",
        "{\"above\":90,\"timestamp\":\"2026-11-27T10:00:00Z\"}",
        "{\"value\":91,\"timestamp\":\"2026-11-27T10:00:00Z\"}",
        "{\"below\":90,\"value\":91,\"timestamp\":\"2026-11-27T10:00:00Z\"}",
        "{\"above\":90,\"value\":\"91\",\"timestamp\":\"2026-11-27T10:00:00Z\"}",
        "{\"above\":90,\"value\":91,\"value\":91,\"timestamp\":\"2026-11-27T10:00:00Z\"}",
        "{\"above\":90,\"value\":91,\"timestamp\":\"yesterday\"}"};
    const size_t refused =
        sizeof(topics) / sizeof(topics[0]) + sizeof(payloads) / sizeof(payloads[0]);
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]); i++)
        assert_false(apply(f, topics[i],
                           "{\"above\":90,\"value\":91,\"timestamp\":\"2026-11-27T10:00:00Z\"}"));
    for (size_t i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++)
        assert_false(apply(f, "collectors/a/thresholds/t/above/d", payloads[i]));
    assert_int_equal(crossings_count(f->crossings), 0);
    assert_int_equal(crossings_message_count(f->crossings, true), refused);
    assert_true(say(f, "a", "t/above", 1, 1));
    crossings_forget(f->crossings); /* a connection ends, and counters go on */
    assert_int_equal(crossings_message_count(f->crossings, true), refused);
    assert_int_equal(crossings_message_count(f->crossings, false), 1);
    assert_false(crossings_have("collectors/a/boards/t/above"));
    assert_false(crossings_have("collectors/a"));
    assert_false(crossings_have("thresholds/a/thresholds/"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_crossings__##name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(pages_are_in_order_and_have_each_once),
        TEST(those_of_a_feature_and_a_side_are_counted_by_threshold),
        TEST(devices_that_are_looked_for_are_counted_alone),
        TEST(who_is_not_live_or_not_known_is_left_out),
        TEST(what_a_collector_counts_has_come_or_it_is_not_complete),
        TEST(strangers_make_room),
        TEST(what_is_none_is_not_taken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
