/* The gate against a broker of a hundred lines, which follows a script and notes what it gets. */
#include "shared/net/mqtt_link.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

enum { MOST = 64, TIMEOUT_MS = 60000 };

struct broker {
    uv_tcp_t server;
    uv_tcp_t *client; /* the latest */
    uint16_t pubacks[MOST];
    size_t puback_count;
    unsigned connects;
    unsigned subscribes;
    unsigned unsubscribes;
    unsigned disconnects;
    unsigned ends;
    bool assigns;       /* client ids of its own */
    char client_id[32]; /* of the last CONNECT */
    unsigned char input[4096];
    size_t input_bytes;
};

struct fixture {
    uv_loop_t loop;
    uv_timer_t tick; /* so that the loop always comes round */
    struct broker broker;
    struct mqtt_link link;
    bool is_linked;
    bool subscribes; /* when up */
    unsigned ups;
    unsigned messages;
    unsigned seen;       /* of them, when a run of reading ended last */
    unsigned most_a_run; /* read in one */
    unsigned slow_us;    /* what each takes */
    unsigned released;
    bool is_closed;
};

/* ---- the broker ----------------------------------------------------------------------------- */

static void broker_send(struct broker *broker, const void *bytes, size_t count)
{
    uv_buf_t buffer = uv_buf_init((char *)(uintptr_t)bytes, (unsigned)count);

    /* a few bytes go out at once; should they not, the test fails */
    assert_int_equal(uv_try_write((uv_stream_t *)broker->client, &buffer, 1), (int)count);
}

static void broker_publish(struct broker *broker, uint16_t mid)
{
    unsigned char packet[] = {0x32, 8,   0,  1, 't', (unsigned char)(mid >> 8), (unsigned char)mid,
                              0,    'h', 'i'};

    broker_send(broker, packet, sizeof(packet));
}

static void take_connect(struct broker *broker, const unsigned char *packet, size_t bytes)
{
    static const unsigned char connack[] = {0x20, 3, 1, 0, 0};
    static const unsigned char assigning[] = {0x20, 9, 0, 0, 6, 0x12, 0, 3, 'a', 'b', 'c'};
    size_t at = 12; /* after name, version, flags and keepalive */
    size_t length;

    at += 1 + packet[at]; /* properties */
    length = packet[at + 1];
    assert_in_range(at + 2 + length, 0, bytes);
    assert_in_range(length, 1, sizeof(broker->client_id) - 1);
    memcpy(broker->client_id, packet + at + 2, length);
    broker->client_id[length] = '\0';
    if (broker->assigns)
        broker_send(broker, assigning, sizeof(assigning));
    else
        broker_send(broker, connack, sizeof(connack));
    broker->connects++;
}

static void take_packet(struct broker *broker, const unsigned char *packet, size_t bytes)
{
    unsigned char suback[] = {0x90, 4, 0, 0, 0, 1};

    assert_in_range(bytes, 2, sizeof(broker->input));
    switch (packet[0] & 0xf0) {
    case 0x10:
        take_connect(broker, packet, bytes);
        break;
    case 0xa0:
        broker->unsubscribes++;
        break;
    case 0x80:
        broker->subscribes++;
        suback[2] = packet[2];
        suback[3] = packet[3];
        broker_send(broker, suback, sizeof(suback));
        break;
    case 0x40:
        assert_in_range(broker->puback_count, 0, MOST - 1);
        broker->pubacks[broker->puback_count++] = (uint16_t)(packet[2] << 8 | packet[3]);
        break;
    case 0xe0:
        broker->disconnects++;
        break;
    default:
        break;
    }
}

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

static void on_alloc(uv_handle_t *handle, size_t wanted, uv_buf_t *buffer)
{
    struct broker *broker = handle->data;

    (void)wanted;
    *buffer = uv_buf_init((char *)broker->input + broker->input_bytes,
                          (unsigned)(sizeof(broker->input) - broker->input_bytes));
}

static void on_input(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer)
{
    struct broker *broker = stream->data;
    size_t at = 0;

    (void)buffer;
    if (count < 0) {
        broker->ends++;
        if (broker->client == (uv_tcp_t *)stream)
            broker->client = NULL;
        uv_close((uv_handle_t *)stream, free_handle);
        return;
    }
    broker->input_bytes += (size_t)count;
    for (;;) {
        const unsigned char *packet = broker->input + at;
        size_t left = broker->input_bytes - at;
        size_t length;
        size_t head = 2;

        if (left < 2)
            break;
        length = packet[1] & 0x7f;
        if (packet[1] & 0x80) {
            if (left < 3)
                break;
            length += (size_t)packet[2] << 7;
            head = 3;
        }
        if (left < head + length)
            break;
        take_packet(broker, packet, head + length);
        at += head + length;
    }
    memmove(broker->input, broker->input + at, broker->input_bytes - at);
    broker->input_bytes -= at;
}

static void on_connection(uv_stream_t *server, int status)
{
    struct broker *broker = server->data;

    assert_int_equal(status, 0);
    broker->client = calloc(1, sizeof(*broker->client));
    broker->client->data = broker;
    broker->input_bytes = 0;
    uv_tcp_init(server->loop, broker->client);
    uv_accept(server, (uv_stream_t *)broker->client);
    uv_tcp_nodelay(broker->client, 1);
    uv_read_start((uv_stream_t *)broker->client, on_alloc, on_input);
}

static void broker_cut(struct broker *broker)
{
    uv_close((uv_handle_t *)broker->client, free_handle);
    broker->client = NULL;
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
    struct sockaddr_in address;
    int length = sizeof(address);
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
    uv_tcp_init(&f->loop, &f->broker.server);
    f->broker.server.data = &f->broker;
    uv_ip4_addr("127.0.0.1", 0, &address);
    uv_tcp_bind(&f->broker.server, (const struct sockaddr *)&address, 0);
    assert_int_equal(uv_listen((uv_stream_t *)&f->broker.server, 8, on_connection), 0);
    uv_tcp_getsockname(&f->broker.server, (struct sockaddr *)&address, &length);
    snprintf(url, sizeof(url), "mqtt://127.0.0.1:%u", ntohs(address.sin_port));
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
    if (f->broker.client)
        broker_cut(&f->broker);
    uv_close((uv_handle_t *)&f->tick, NULL);
    uv_close((uv_handle_t *)&f->broker.server, NULL);
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
        broker_publish(&f->broker, mid);
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

    broker_publish(&f->broker, 1);
    until(f, &f->messages, 1);
    broker_cut(&f->broker);
    until(f, &f->ups, 2);
    assert_int_equal(f->link.epoch, earlier + 1);
    broker_publish(&f->broker, 7);
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
    broker_cut(&f->broker);
    while (f->link.state != MQTT_LINK_CONNECTING)
        uv_run(&f->loop, UV_RUN_ONCE);
    assert_int_equal(f->link.epoch, earlier + 1);
    begun = mqtt_link_epoch(&f->link);
    until(f, &f->ups, 2);
    assert_int_equal(f->link.epoch, earlier + 1);
    broker_publish(&f->broker, 7);
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
    broker_publish(&f->broker, 1);
    settle(f);
    assert_int_equal(f->messages, 0);
    mqtt_link_resume(&f->link);
    until(f, &f->messages, 1);
    f->subscribes = true;
    broker_cut(&f->broker);
    while (f->link.state == MQTT_LINK_UP)
        uv_run(&f->loop, UV_RUN_ONCE);
    mqtt_link_pause(&f->link);
    until(f, &f->ups, 2);
    /* what it takes to connect goes on */
    until(f, &f->broker.subscribes, 1);
    broker_publish(&f->broker, 2);
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
        broker_publish(&f->broker, mid);
    until(f, &f->messages, before + 20);
}

static void test_mqtt_link__one_that_rests_keeps_the_gate_and_misses_nothing(void **state)
{
    struct fixture *f = *state;

    publish_many(f, 1);
    mqtt_link_pause(&f->link);
    broker_publish(&f->broker, 21);
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
    broker_cut(&f->broker);
    until(f, &f->ups, 2);
    broker_publish(&f->broker, 62);
    until(f, &f->messages, 62);
    assert_int_equal(f->link.held_acks, 1);
}

static void test_mqtt_link__leaving_with_acknowledgements_held_says_nothing(void **state)
{
    struct fixture *f = *state;

    broker_publish(&f->broker, 1);
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

    broker_publish(&f->broker, 1);
    until(f, &f->messages, 1);
    mqtt_link_release(&f->link, f->link.epoch);
    mqtt_link_leave(&f->link);
    until(f, &f->broker.disconnects, 1);
    assert_int_equal(f->broker.puback_count, 1);
}

static void test_mqtt_link__closing_with_acknowledgements_held_says_nothing(void **state)
{
    struct fixture *f = *state;

    broker_publish(&f->broker, 1);
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

    broker_send(&f->broker, disconnect, sizeof(disconnect));
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
    broker_cut(&f->broker);
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
    broker_cut(&f->broker);
    until(f, &f->ups, 2);
    assert_string_equal(f->broker.client_id, "other");
}

/* A broker that sends more than can be read must not keep everything else waiting. */
static void test_mqtt_link__a_run_of_reading_ends_when_its_time_is_spent(void **state)
{
    struct fixture *f = *state;

    f->slow_us = 2000;
    for (uint16_t mid = 1; mid <= 6; mid++)
        broker_publish(&f->broker, mid);
    until(f, &f->messages, 6);
    assert_int_equal(f->most_a_run, 6);
    mqtt_link_release(&f->link, f->link.epoch);
    until(f, &f->released, 1);
    f->most_a_run = 0;
    f->link.config.read_budget_us = 1000;
    for (uint16_t mid = 7; mid <= 12; mid++)
        broker_publish(&f->broker, mid);
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
