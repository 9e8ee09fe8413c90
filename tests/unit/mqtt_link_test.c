/* The gate, against fake_broker. */
#include "shared/net/mqtt_link.h"

#include "tests/unit/fake_broker.h"

#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { TIMEOUT_MS = 60000 };

struct fixture {
    uv_loop_t loop;
    uv_timer_t tick; /* so that the loop always comes round */
    struct fake_broker broker;
    struct mqtt_link link;
    bool is_linked;
    bool subscribes; /* when up */
    unsigned ups;
    unsigned messages;
    unsigned seen;       /* of them, when a run of reading ended last */
    unsigned most_a_run; /* read in one */
    unsigned slow_us;    /* what each takes */
    unsigned pauses_at;  /* this message stops the reading; 0 = none */
    unsigned released;
    bool is_closed;
};

/* ---- a socket that is full ------------------------------------------------------------------- */

static int full_fd = -1;        /* takes no more than */
static size_t full_after;       /* so many bytes */
static int full_error = EAGAIN; /* and then says this */

long syscall(long number, ...); /* POSIX has none */

/* In the place of libc's. */
ssize_t writev(int fd, const struct iovec *parts, int count)
{
    struct iovec part = parts[0];

    if (fd != full_fd)
        return syscall(SYS_writev, fd, parts, count);
    if (full_after == 0) {
        if (full_error != EAGAIN)
            full_fd = -1; /* the next of this number is another's */
        errno = full_error;
        return -1;
    }
    if (part.iov_len > full_after)
        part.iov_len = full_after;
    full_after -= part.iov_len;
    return syscall(SYS_writev, fd, &part, 1);
}

/* ---- the link ------------------------------------------------------------------------------- */

static void on_up(struct mqtt_link *link, bool session_present)
{
    struct fixture *f = link->config.user;

    assert_true(session_present);
    f->ups++;
    if (f->subscribes)
        mqtt_link_subscribe(link, "t", 1);
}

static void on_message(struct mqtt_link *link, const struct mqtt_delivery *delivery)
{
    struct fixture *f = link->config.user;

    assert_string_equal(delivery->topic, "t");
    assert_int_equal(delivery->bytes, 2);
    f->messages++;
    if (f->messages == f->pauses_at)
        mqtt_link_pause(link);
    if (f->slow_us > 0)
        nanosleep(&(struct timespec){.tv_nsec = f->slow_us * 1000L}, NULL);
}

static void on_read(struct mqtt_link *link)
{
    struct fixture *f = link->config.user;

    if (f->messages - f->seen > f->most_a_run)
        f->most_a_run = f->messages - f->seen;
    f->seen = f->messages;
}

static void on_released(struct mqtt_link *link)
{
    struct fixture *f = link->config.user;

    f->released++;
}

static void on_closed(struct mqtt_link *link)
{
    struct fixture *f = link->config.user;

    f->is_closed = true;
}

static void on_tick(uv_timer_t *timer)
{
    (void)timer;
}

/* Runs the loop until `count` has come to `wanted`. */
static void until(struct fixture *f, const unsigned *count, unsigned wanted)
{
    uint64_t deadline_ms = uv_now(&f->loop) + TIMEOUT_MS;

    while (*count < wanted && uv_now(&f->loop) < deadline_ms)
        uv_run(&f->loop, UV_RUN_ONCE);
    assert_int_equal(*count, wanted);
}

static void until_pubacks(struct fixture *f, size_t wanted)
{
    uint64_t deadline_ms = uv_now(&f->loop) + TIMEOUT_MS;

    while (f->broker.puback_count < wanted && uv_now(&f->loop) < deadline_ms)
        uv_run(&f->loop, UV_RUN_ONCE);
    assert_int_equal(f->broker.puback_count, wanted);
}

/* Long enough for anything that is on its way. */
static void settle(struct fixture *f)
{
    uint64_t end_ms = uv_now(&f->loop) + 50;

    while (uv_now(&f->loop) < end_ms)
        uv_run(&f->loop, UV_RUN_ONCE);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    char url[64];
    char error[256];
    struct mqtt_link_config config = {.name = "test",
                                      .url = url,
                                      .client_id = "test",
                                      .durable = true,
                                      .gated = true,
                                      .quiet = true,
                                      .keepalive_s = 60,
                                      .user = f,
                                      .on_up = on_up,
                                      .on_message = on_message,
                                      .on_read = on_read,
                                      .on_released = on_released};

    uv_loop_init(&f->loop);
    uv_timer_init(&f->loop, &f->tick);
    uv_timer_start(&f->tick, on_tick, 5, 5);
    snprintf(url, sizeof(url), "mqtt://127.0.0.1:%u", fake_broker_start(&f->broker, &f->loop));
    assert_true(mqtt_link_start(&f->link, &f->loop, &config, error, sizeof(error)));
    f->link.config.url = NULL; /* it lived here only */
    f->is_linked = true;
    until(f, &f->ups, 1);
    *state = f;
    return 0;
}

static void close_link(struct fixture *f)
{
    uint64_t deadline_ms = uv_now(&f->loop) + TIMEOUT_MS;

    if (!f->is_linked)
        return;
    f->is_linked = false;
    mqtt_link_close(&f->link, on_closed);
    while (!f->is_closed && uv_now(&f->loop) < deadline_ms)
        uv_run(&f->loop, UV_RUN_ONCE);
    assert_true(f->is_closed);
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    close_link(f);
    fake_broker_close(&f->broker);
    uv_close((uv_handle_t *)&f->tick, NULL);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    free(f);
    return 0;
}

/* ---- tests ---------------------------------------------------------------------------------- */

static void test_mqtt_link__acknowledgements_wait_for_the_release_and_leave_in_order(void **state)
{
    struct fixture *f = *state;

    for (uint16_t mid = 1; mid <= 3; mid++)
        fake_broker_publish(&f->broker, mid);
    until(f, &f->messages, 3);
    settle(f);
    assert_int_equal(f->broker.puback_count, 0);
    assert_int_equal(f->link.held_acks, 3);
    mqtt_link_release(&f->link, f->link.epoch);
    until_pubacks(f, 3);
    for (uint16_t i = 0; i < 3; i++)
        assert_int_equal(f->broker.pubacks[i], i + 1);
    until(f, &f->released, 1);
    assert_int_equal(f->link.held_acks, 0);
}

static void test_mqtt_link__the_release_of_an_earlier_epoch_frees_nothing(void **state)
{
    struct fixture *f = *state;
    uint64_t earlier = f->link.epoch;

    fake_broker_publish(&f->broker, 1);
    until(f, &f->messages, 1);
    fake_broker_cut(&f->broker);
    until(f, &f->ups, 2);
    assert_int_equal(f->link.epoch, earlier + 1);
    fake_broker_publish(&f->broker, 7);
    until(f, &f->messages, 2);
    mqtt_link_release(&f->link, earlier);
    settle(f);
    assert_int_equal(f->broker.puback_count, 0);
    assert_int_equal(f->link.held_acks, 1);
    assert_int_equal(f->released, 0);
    mqtt_link_release(&f->link, f->link.epoch);
    until_pubacks(f, 1);
    assert_int_equal(f->broker.pubacks[0], 7);
}

static void test_mqtt_link__what_is_begun_before_the_connack_releases_nothing(void **state)
{
    struct fixture *f = *state;
    uint64_t earlier = mqtt_link_epoch(&f->link);
    uint64_t begun;

    assert_int_equal(earlier, f->link.epoch);
    fake_broker_cut(&f->broker);
    while (f->link.state != MQTT_LINK_CONNECTING)
        uv_run(&f->loop, UV_RUN_ONCE);
    assert_int_equal(f->link.epoch, earlier + 1);
    begun = mqtt_link_epoch(&f->link);
    until(f, &f->ups, 2);
    assert_int_equal(f->link.epoch, earlier + 1);
    fake_broker_publish(&f->broker, 7);
    until(f, &f->messages, 1);
    mqtt_link_release(&f->link, begun);
    settle(f);
    assert_int_equal(f->broker.puback_count, 0);
    assert_int_equal(f->link.held_acks, 1);
    mqtt_link_release(&f->link, mqtt_link_epoch(&f->link));
    until_pubacks(f, 1);
}

static void test_mqtt_link__nothing_is_read_while_paused_across_a_reconnect_too(void **state)
{
    struct fixture *f = *state;

    mqtt_link_pause(&f->link);
    fake_broker_publish(&f->broker, 1);
    settle(f);
    assert_int_equal(f->messages, 0);
    mqtt_link_resume(&f->link);
    until(f, &f->messages, 1);
    f->subscribes = true;
    fake_broker_cut(&f->broker);
    while (f->link.state == MQTT_LINK_UP)
        uv_run(&f->loop, UV_RUN_ONCE);
    mqtt_link_pause(&f->link);
    until(f, &f->ups, 2);
    /* what it takes to connect goes on */
    until(f, &f->broker.subscribes, 1);
    fake_broker_publish(&f->broker, 2);
    settle(f);
    assert_int_equal(f->messages, 1);
    assert_int_equal(f->broker.puback_count, 0);
    mqtt_link_resume(&f->link);
    until(f, &f->messages, 2);
}

/* So many at once that the link rests before it reads again. */
static void publish_many(struct fixture *f, uint16_t first)
{
    unsigned before = f->messages;

    for (uint16_t mid = first; mid < first + 20; mid++)
        fake_broker_publish(&f->broker, mid);
    until(f, &f->messages, before + 20);
}

static void test_mqtt_link__one_that_rests_keeps_the_gate_and_misses_nothing(void **state)
{
    struct fixture *f = *state;

    publish_many(f, 1);
    mqtt_link_pause(&f->link);
    fake_broker_publish(&f->broker, 21);
    settle(f);
    assert_int_equal(f->messages, 20);
    assert_int_equal(f->broker.puback_count, 0);
    mqtt_link_release(&f->link, f->link.epoch);
    until_pubacks(f, 20);
    mqtt_link_resume(&f->link);
    until(f, &f->messages, 21);
    publish_many(f, 22);
    mqtt_link_release(&f->link, f->link.epoch); /* at once, while it may be resting */
    until_pubacks(f, 41);
    publish_many(f, 42);
    fake_broker_cut(&f->broker);
    until(f, &f->ups, 2);
    fake_broker_publish(&f->broker, 62);
    until(f, &f->messages, 62);
    assert_int_equal(f->link.held_acks, 1);
}

static void release_many(struct fixture *f, uint16_t first)
{
    size_t before = f->broker.puback_count;

    publish_many(f, first);
    mqtt_link_release(&f->link, f->link.epoch);
    until_pubacks(f, before + 20);
}

static void test_mqtt_link__what_has_not_left_is_not_released_and_leaves_by_itself(void **state)
{
    struct fixture *f = *state;

    release_many(f, 1);
    publish_many(f, 21);
    mqtt_link_pause(&f->link);
    full_fd = mqtt_link_fd(&f->link);
    full_after = 7; /* in the middle of an acknowledgement */
    mqtt_link_release(&f->link, f->link.epoch);
    settle(f);
    assert_int_equal(f->released, 1);
    assert_true(f->link.is_releasing);
    assert_int_equal(f->broker.puback_count, 21);
    full_fd = -1;
    until(f, &f->released, 2);
    until_pubacks(f, 40);
    for (uint16_t mid = 1; mid <= 40; mid++)
        assert_int_equal(f->broker.pubacks[mid - 1], mid);
    mqtt_link_resume(&f->link);
    publish_many(f, 41);
    settle(f);
    assert_int_equal(f->broker.puback_count, 40);
}

static void test_mqtt_link__what_has_not_left_ends_with_its_connection(void **state)
{
    struct fixture *f = *state;

    release_many(f, 1);
    publish_many(f, 21);
    full_fd = mqtt_link_fd(&f->link);
    full_after = 7;
    mqtt_link_release(&f->link, f->link.epoch);
    settle(f);
    full_error = ECONNRESET; /* which the library does not see */
    until(f, &f->ups, 2);
    assert_int_equal(f->released, 1);
    assert_int_equal(f->link.held_acks, 0);
    release_many(f, 41);
    settle(f);
    assert_int_equal(f->broker.puback_count, 41);
    assert_int_equal(f->broker.pubacks[21], 41);
}

/* What was taken out of the socket with the message at which reading stopped. */
static void test_mqtt_link__what_was_read_ahead_waits_for_the_gate_and_comes_by_itself(void **state)
{
    struct fixture *f = *state;
    int fd = mqtt_link_fd(&f->link);
    int left = 0;

    f->pauses_at = 3;
    for (uint16_t mid = 1; mid <= 20; mid++)
        fake_broker_publish(&f->broker, mid);
    while (ioctl(fd, FIONREAD, &left) == 0 && left < 20 * 10)
        sched_yield(); /* so that the first read finds them all */
    until(f, &f->messages, 3);
    settle(f);
    assert_int_equal(f->messages, 3);
    assert_int_equal(ioctl(fd, FIONREAD, &left), 0);
    assert_int_equal(left, 0);
    assert_false(mqtt_link_is_dry(&f->link));
    mqtt_link_release(&f->link, f->link.epoch);
    until_pubacks(f, 3);
    mqtt_link_resume(&f->link);
    until(f, &f->messages, 20); /* though nothing more comes */
    assert_true(mqtt_link_is_dry(&f->link));
    assert_int_equal(f->link.held_acks, 17);
    settle(f);
    assert_int_equal(f->broker.puback_count, 3);
}

static void test_mqtt_link__what_was_read_ahead_ends_with_its_connection(void **state)
{
    struct fixture *f = *state;

    f->pauses_at = 1;
    for (uint16_t mid = 1; mid <= 20; mid++)
        fake_broker_publish(&f->broker, mid);
    until(f, &f->messages, 1);
    mqtt_link_leave(&f->link);
    until(f, &f->broker.ends, 1);
    mqtt_link_resume(&f->link);
    mqtt_link_join(&f->link);
    until(f, &f->ups, 2);
    settle(f);
    assert_int_equal(f->messages, 1); /* the broker has the others */
    fake_broker_publish(&f->broker, 1);
    until(f, &f->messages, 2);
    assert_int_equal(f->link.held_acks, 1);
}

static void test_mqtt_link__leaving_with_acknowledgements_held_says_nothing(void **state)
{
    struct fixture *f = *state;

    fake_broker_publish(&f->broker, 1);
    until(f, &f->messages, 1);
    mqtt_link_leave(&f->link);
    until(f, &f->broker.ends, 1);
    settle(f);
    assert_int_equal(f->broker.puback_count, 0);
    assert_int_equal(f->broker.disconnects, 0);
    assert_int_equal(f->link.state, MQTT_LINK_OFF);
    mqtt_link_join(&f->link);
    until(f, &f->ups, 2);
}

static void test_mqtt_link__leaving_with_nothing_held_is_polite(void **state)
{
    struct fixture *f = *state;

    fake_broker_publish(&f->broker, 1);
    until(f, &f->messages, 1);
    mqtt_link_release(&f->link, f->link.epoch);
    mqtt_link_leave(&f->link);
    until(f, &f->broker.disconnects, 1);
    assert_int_equal(f->broker.puback_count, 1);
}

static void test_mqtt_link__closing_with_acknowledgements_held_says_nothing(void **state)
{
    struct fixture *f = *state;

    fake_broker_publish(&f->broker, 1);
    until(f, &f->messages, 1);
    close_link(f);
    until(f, &f->broker.ends, 1);
    assert_int_equal(f->broker.puback_count, 0);
    assert_int_equal(f->broker.disconnects, 0);
}

static void test_mqtt_link__a_takeover_is_said_in_words(void **state)
{
    static const unsigned char disconnect[] = {0xe0, 2, 0x8e, 0};
    struct fixture *f = *state;
    unsigned downs = 0;

    fake_broker_send(&f->broker, disconnect, sizeof(disconnect));
    while (f->link.state == MQTT_LINK_UP && downs++ < 1000)
        uv_run(&f->loop, UV_RUN_ONCE);
    assert_int_equal(f->link.takeovers, 1);
    assert_non_null(strstr(f->link.failure, "another client connected as test"));
    until(f, &f->ups, 2);
}

static void test_mqtt_link__an_assigned_client_id_is_refused_in_words(void **state)
{
    struct fixture *f = *state;

    f->broker.assigns = true;
    fake_broker_cut(&f->broker);
    until(f, &f->broker.connects, 3);
    assert_int_equal(f->ups, 1);
    assert_non_null(strstr(f->link.failure, "it has assigned a client id"));
    f->broker.assigns = false;
    until(f, &f->ups, 2);
    assert_string_equal(f->broker.client_id, "test");
}

static void test_mqtt_link__another_client_id_is_said_with_the_next_connection(void **state)
{
    struct fixture *f = *state;

    assert_string_equal(f->broker.client_id, "test");
    mqtt_link_rename(&f->link, "other");
    assert_true(mqtt_link_unsubscribe(&f->link, "t"));
    until(f, &f->broker.unsubscribes, 1); /* still up */
    fake_broker_cut(&f->broker);
    until(f, &f->ups, 2);
    assert_string_equal(f->broker.client_id, "other");
}

/* A broker that sends more than can be read must not keep everything else waiting. */
static void test_mqtt_link__a_run_of_reading_ends_when_its_time_is_spent(void **state)
{
    struct fixture *f = *state;

    f->slow_us = 2000;
    for (uint16_t mid = 1; mid <= 6; mid++)
        fake_broker_publish(&f->broker, mid);
    until(f, &f->messages, 6);
    assert_int_equal(f->most_a_run, 6);
    mqtt_link_release(&f->link, f->link.epoch);
    until(f, &f->released, 1);
    f->most_a_run = 0;
    f->link.config.read_budget_us = 1000;
    for (uint16_t mid = 7; mid <= 12; mid++)
        fake_broker_publish(&f->broker, mid);
    until(f, &f->messages, 12);
    settle(f);
    assert_int_equal(f->most_a_run, 1);
}

static void test_mqtt_link__tls_without_its_files_does_not_start(void **state)
{
    struct fixture *f = *state;
    struct mqtt_link link;
    struct mqtt_link_config config = {.name = "tls",
                                      .url = "mqtts://user:secret@127.0.0.1",
                                      .client_id = "tls",
                                      .ca_file = "/nonexistent/ca.pem"};
    char error[256];

    assert_false(mqtt_link_start(&link, &f->loop, &config, error, sizeof(error)));
    assert_non_null(strstr(error, "/nonexistent/ca.pem"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_mqtt_link__acknowledgements_wait_for_the_release_and_leave_in_order),
        TEST(test_mqtt_link__the_release_of_an_earlier_epoch_frees_nothing),
        TEST(test_mqtt_link__what_is_begun_before_the_connack_releases_nothing),
        TEST(test_mqtt_link__nothing_is_read_while_paused_across_a_reconnect_too),
        TEST(test_mqtt_link__one_that_rests_keeps_the_gate_and_misses_nothing),
        TEST(test_mqtt_link__what_has_not_left_is_not_released_and_leaves_by_itself),
        TEST(test_mqtt_link__what_has_not_left_ends_with_its_connection),
        TEST(test_mqtt_link__what_was_read_ahead_waits_for_the_gate_and_comes_by_itself),
        TEST(test_mqtt_link__what_was_read_ahead_ends_with_its_connection),
        TEST(test_mqtt_link__leaving_with_acknowledgements_held_says_nothing),
        TEST(test_mqtt_link__leaving_with_nothing_held_is_polite),
        TEST(test_mqtt_link__closing_with_acknowledgements_held_says_nothing),
        TEST(test_mqtt_link__a_takeover_is_said_in_words),
        TEST(test_mqtt_link__an_assigned_client_id_is_refused_in_words),
        TEST(test_mqtt_link__another_client_id_is_said_with_the_next_connection),
        TEST(test_mqtt_link__a_run_of_reading_ends_when_its_time_is_spent),
        TEST(test_mqtt_link__tls_without_its_files_does_not_start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
