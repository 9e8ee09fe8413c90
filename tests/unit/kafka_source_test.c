/* The source against brokers that librdkafka plays, in this process; the store is a few numbers. */
#include "collector/settings.h"
#include "collector/source.h"
#include "collector/sources/kafka_source.h"
#include "shared/base/mem.h"
#include "shared/model/record.h"
#include "shared/net/prometheus.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { PARTITIONS = 4, MESSAGES_MAX = 4000, PATIENCE_MS = 30000 };

#define TOPIC "readings"

struct seen {
    char *topic;
    char *payload;
    char *device;
    char *detail;
    struct source_message message;
};

/* A member: a source, and the events of it. */
struct member {
    struct test *test;
    struct settings settings;
    char url[300];
    struct source *source;
    uv_timer_t tick;
    struct seen seen[MESSAGES_MAX];
    size_t seen_count;
    unsigned ups;
    unsigned downs;
    unsigned lost;
    bool answers_not; /* the store is away */
    bool is_closing;
    bool has_closed;
};

struct test {
    uv_loop_t loop;
    rd_kafka_t *producer;
    rd_kafka_mock_cluster_t *cluster;
    int64_t positions[2][PARTITIONS]; /* of the topic, and of rejected messages */
    unsigned places;
    struct member members[2];
};

/* ---- what is played ----------------------------------------------------------------------------- */

static int64_t *position_of(struct test *test, const struct source_position *position)
{
    assert_in_range(position->partition, 0, PARTITIONS - 1);
    return &test->positions[strcmp(position->topic, TOPIC) != 0][position->partition];
}

static void answer(struct member *member, const struct source_position *positions, size_t count)
{
    struct source_position *answers = mem_calloc(count, sizeof(answers[0]));

    for (size_t i = 0; i < count; i++) {
        answers[i] = positions[i];
        answers[i].from = *position_of(member->test, &positions[i]);
    }
    member->test->places++;
    source_place(member->source, answers, count);
    free(answers);
}

static void on_gained(void *user, const struct source_position *positions, size_t count)
{
    struct member *member = user;

    if (!member->answers_not)
        answer(member, positions, count);
}

static void on_lost(void *user, const struct source_position *positions, size_t count)
{
    (void)positions;
    ((struct member *)user)->lost += (unsigned)count;
}

static void on_up(void *user)
{
    ((struct member *)user)->ups++;
}

static void on_down(void *user)
{
    ((struct member *)user)->downs++;
}

static void on_message(void *user, const struct source_message *message)
{
    struct member *member = user;
    struct seen *seen = &member->seen[member->seen_count++];

    assert_true(member->seen_count < MESSAGES_MAX);
    assert_true(message->is_record);
    *seen = (struct seen){.message = *message};
    seen->topic = mem_strdup(message->topic);
    seen->payload = mem_strndup(message->payload, message->bytes);
    seen->device = message->device ? mem_strndup(message->device, message->device_bytes) : NULL;
    seen->detail = message->detail ? mem_strdup(message->detail) : NULL;
}

static void on_read(void *user)
{
    (void)user;
}

/* The batch is stored: compare and swap, as the store does it. False when it was refused. */
static bool store(struct member *member)
{
    struct source_mark mark = source_mark(member->source);

    for (size_t i = 0; i < mark.position_count; i++) {
        if (*position_of(member->test, &mark.positions[i]) != mark.positions[i].from) {
            source_give_back(member->source);
            return false;
        }
    }
    for (size_t i = 0; i < mark.position_count; i++)
        *position_of(member->test, &mark.positions[i]) = mark.positions[i].to;
    source_release(member->source, &mark);
    return true;
}

static void on_tick(uv_timer_t *timer)
{
    struct member *member = timer->data;

    source_tick(member->source);
}

static const struct source_events events = {.on_up = on_up,
                                            .on_down = on_down,
                                            .on_message = on_message,
                                            .on_read = on_read,
                                            .on_gained = on_gained,
                                            .on_lost = on_lost};

static void join_with(struct test *test, size_t number, const char *params, const char *file)
{
    struct member *member = &test->members[number];
    struct source_config config = {.loop = &test->loop, .settings = &member->settings};
    char error[300];
    char id[] = {'m', (char)('0' + number), '\0'};
    static char ids[2][3];

    *member = (struct member){.test = test};
    memcpy(ids[number], id, sizeof(id));
    snprintf(member->url, sizeof(member->url), "kafka://%s/" TOPIC "%s",
             rd_kafka_mock_cluster_bootstraps(test->cluster), params);
    member->settings = (struct settings){
        .source = member->url, .collector_id = ids[number], .kafka_config = file, .mqtt_url = ""};
    member->source = source_open(&config, error, sizeof(error));
    assert_non_null(member->source);
    source_attach(member->source, &events, member);
    uv_timer_init(&test->loop, &member->tick);
    member->tick.data = member;
    uv_timer_start(&member->tick, on_tick, 100, 100);
    source_join(member->source);
}

static void join(struct test *test, size_t number, const char *params)
{
    join_with(test, number, params, "");
}

/* ---- waiting ------------------------------------------------------------------------------------- */

static void on_awake(uv_timer_t *timer)
{
    (void)timer;
}

/* Runs the loop until the condition holds; `i` is for the condition. */
#define UNTIL(test, condition)                                                                     \
    do {                                                                                           \
        uint64_t until_ms_ = uv_hrtime() / 1000000 + PATIENCE_MS;                                  \
        uv_timer_t awake_;                                                                         \
        uv_timer_init(&(test)->loop, &awake_);                                                     \
        uv_timer_start(&awake_, on_awake, 10, 10);                                                 \
        while (!(condition) && uv_hrtime() / 1000000 < until_ms_)                                  \
            uv_run(&(test)->loop, UV_RUN_ONCE);                                                    \
        uv_close((uv_handle_t *)&awake_, NULL);                                                    \
        uv_run(&(test)->loop, UV_RUN_NOWAIT);                                                      \
        assert_true(condition);                                                                    \
    } while (0)

static void let_pass(struct test *test, uint64_t ms)
{
    uint64_t until_ms = uv_hrtime() / 1000000 + ms;

    UNTIL(test, uv_hrtime() / 1000000 > until_ms);
}

/* ---- ending -------------------------------------------------------------------------------------- */

static void on_closed(void *user)
{
    ((struct member *)user)->has_closed = true;
}

static void end(struct test *test, size_t number)
{
    struct member *member = &test->members[number];

    if (!member->source || member->is_closing) /* it has failed to */
        return;
    member->is_closing = true;
    source_close(member->source, on_closed);
    uv_close((uv_handle_t *)&member->tick, NULL);
    UNTIL(test, member->has_closed);
    source_free(member->source);
    for (size_t i = 0; i < member->seen_count; i++) {
        free(member->seen[i].topic);
        free(member->seen[i].payload);
        free(member->seen[i].device);
        free(member->seen[i].detail);
    }
    *member = (struct member){.test = test};
}

static double number_of(const struct member *member, const char *name)
{
    struct buffer out = {0};
    const char *at;
    double number = -1;

    source_put_metrics(member->source, &(struct prometheus){.out = &out});
    at = buffer_text(&out);
    while ((at = strstr(at, name)) && at[strlen(name)] != ' ')
        at++;
    while (at && (at[-1] != '\n'))
        at = strstr(at + 1, name);
    if (at)
        number = strtod(at + strlen(name), NULL);
    buffer_release(&out);
    return number;
}

static bool has_fault(const struct member *member, const char *part)
{
    struct buffer out = {0};
    bool has;

    source_put_faults(member->source, &out);
    has = strstr(buffer_text(&out), part) != NULL;
    buffer_release(&out);
    return has;
}

/* ---- what is written ------------------------------------------------------------------------------ */

struct record_to_write {
    const char *topic;
    int32_t partition;
    const char *key; /* NULL = none */
    const char *value;
    rd_kafka_headers_t *headers;
};

static void write_record(struct test *test, const struct record_to_write *record)
{
    rd_kafka_resp_err_t error = rd_kafka_producev(
        test->producer, RD_KAFKA_V_TOPIC(record->topic ? record->topic : TOPIC),
        RD_KAFKA_V_PARTITION(record->partition),
        RD_KAFKA_V_KEY(record->key, record->key ? strlen(record->key) : 0),
        RD_KAFKA_V_VALUE((void *)record->value, record->value ? strlen(record->value) : 0),
        RD_KAFKA_V_HEADERS(record->headers), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
        RD_KAFKA_V_END);

    assert_int_equal(error, 0);
}

static void flush(struct test *test)
{
    assert_int_equal(rd_kafka_flush(test->producer, PATIENCE_MS), 0);
}

/* Numbered from `from` on, spread over the partitions. */
static void write_numbers(struct test *test, unsigned from, unsigned count)
{
    for (unsigned i = from; i < from + count; i++) {
        char value[60];
        struct record_to_write record = {
            .partition = (int32_t)(i % PARTITIONS), .key = "device_1", .value = value};

        snprintf(value, sizeof(value), "{\"temperature\":%u}", i);
        write_record(test, &record);
    }
    flush(test);
}

static long number_in(const struct seen *seen)
{
    return strtol(strchr(seen->payload, ':') + 1, NULL, 10);
}

/* ---- tests ---------------------------------------------------------------------------------------- */

static int set_up(void **state)
{
    struct test *test = mem_calloc(1, sizeof(*test));
    char error[200];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();

    uv_loop_init(&test->loop);
    for (size_t i = 0; i < PARTITIONS; i++)
        test->positions[0][i] = test->positions[1][i] = SOURCE_POSITION_NEW;
    rd_kafka_conf_set(conf, "test.mock.num.brokers", "1", error, sizeof(error));
    rd_kafka_conf_set(conf, "linger.ms", "0", error, sizeof(error));
    test->producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof(error));
    assert_non_null(test->producer);
    test->cluster = rd_kafka_handle_mock_cluster(test->producer);
    assert_non_null(test->cluster);
    rd_kafka_mock_topic_create(test->cluster, TOPIC, PARTITIONS, 1);
    rd_kafka_mock_topic_create(test->cluster, TOPIC RECORD_REJECTED_SUFFIX, 1, 1);
    *state = test;
    return 0;
}

static int tear_down(void **state)
{
    struct test *test = *state;

    end(test, 0);
    end(test, 1);
    if (test->members[0].source || test->members[1].source)
        return -1;
    uv_run(&test->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&test->loop), 0);
    rd_kafka_destroy(test->producer);
    free(test);
    return 0;
}

static void test_source__reads_what_is_there_and_goes_on(void **state)
{
    struct test *test = *state;
    struct member *member = &test->members[0];

    write_numbers(test, 0, 100);
    join(test, 0, "");
    UNTIL(test, member->seen_count == 100);
    assert_int_equal(member->ups, 1);
    assert_true(store(member));
    for (size_t i = 0; i < PARTITIONS; i++)
        assert_int_equal(test->positions[0][i], 25);
    write_numbers(test, 100, 40);
    UNTIL(test, member->seen_count == 140);
    UNTIL(test, number_of(member, "highwater_kafka_records_total") == 140);
}

static void test_source__starts_where_the_store_stands(void **state)
{
    struct test *test = *state;
    struct member *member = &test->members[0];

    for (size_t i = 0; i < PARTITIONS; i++)
        test->positions[0][i] = 20;
    write_numbers(test, 0, 100);
    join(test, 0, "?group=g&member=x");
    UNTIL(test, member->seen_count == 20);
    assert_true(store(member));
    assert_int_equal(test->positions[0][2], 25);
}

static void test_source__nothing_comes_before_the_store_has_said_where(void **state)
{
    struct test *test = *state;
    struct member *member = &test->members[0];
    struct source_position position = {.group = "highwater", .topic = TOPIC, .partition = 2};

    write_numbers(test, 0, 100);
    join(test, 0, "");
    member->answers_not = true;
    UNTIL(test, member->ups == 1);
    answer(member, &position, 1);
    UNTIL(test, member->seen_count == 25);
    for (size_t i = 0; i < 25; i++)
        assert_int_equal(number_in(&member->seen[i]) % PARTITIONS, 2);
}

static void test_source__what_was_refused_comes_again_from_where_the_store_stands(void **state)
{
    struct test *test = *state;
    struct member *member = &test->members[0];

    write_numbers(test, 0, 100);
    join(test, 0, "");
    UNTIL(test, member->seen_count == 100);
    test->positions[0][1] = 20; /* another was there first */
    assert_false(store(member));
    UNTIL(test, member->seen_count == 100 + 75 + 5);
    assert_true(store(member));
    assert_int_equal(test->positions[0][1], 25);
    assert_int_equal(test->positions[0][0], 25);
    assert_true(number_of(member, "highwater_kafka_rereads_total") == 1);
}

/* Leads what is fetched of a partition to another queue. */
static void lead(const struct kafka_source *k, int32_t partition, rd_kafka_queue_t *to)
{
    rd_kafka_queue_t *from = rd_kafka_queue_get_partition(k->link.rk, TOPIC, partition);

    rd_kafka_queue_forward(from, to);
    rd_kafka_queue_destroy(from);
}

/* So many records of partition 0, numbered from `from` on by PARTITIONS, until the queue has as many items: ends that
 * were met are among them. */
static void write_into(struct test *test, rd_kafka_queue_t *queue, unsigned from, unsigned count)
{
    uint64_t until_ms = uv_hrtime() / 1000000 + PATIENCE_MS;

    for (unsigned i = 0; i < count; i++)
        write_numbers(test, from + i * PARTITIONS, 1);
    while (rd_kafka_queue_length(queue) < count && uv_hrtime() / 1000000 < until_ms)
        uv_sleep(1);
    assert_true(rd_kafka_queue_length(queue) >= count);
}

/* As after a partition was read again, when librdkafka has led what it fetches to its own queue; and nobody looks into
 * that one before what follows in ours. */
static void test_source__what_came_past_our_queue_is_not_left_out(void **state)
{
    struct test *test = *state;
    struct member *member = &test->members[0];
    const struct kafka_source *k;
    rd_kafka_queue_t *theirs;
    uint64_t count;

    write_numbers(test, 0, PARTITIONS);
    join(test, 0, "");
    UNTIL(test, member->seen_count == PARTITIONS);
    k = (const void *)member->source;
    theirs = rd_kafka_queue_get_consumer(k->link.rk);
    lead(k, 0, theirs);
    write_into(test, theirs, PARTITIONS, 20);
    lead(k, 0, k->records.queue);
    write_into(test, k->records.queue, 21 * PARTITIONS, 20);
    assert_int_equal(read(k->link.queue.event, &count, sizeof(count)), sizeof(count));
    uv_timer_stop(&member->tick);
    uv_run(&test->loop, UV_RUN_NOWAIT);
    uv_timer_again(&member->tick);
    UNTIL(test, member->seen_count == PARTITIONS + 40);
    for (unsigned i = 0; i < 40; i++)
        assert_int_equal(number_in(&member->seen[PARTITIONS + i]), (i + 1) * PARTITIONS);
    assert_true(store(member));
    rd_kafka_queue_destroy(theirs);
}

static void test_source__a_second_member_gets_a_part_and_nothing_twice(void **state)
{
    struct test *test = *state;
    struct member *first = &test->members[0];
    struct member *second = &test->members[1];

    write_numbers(test, 0, 100);
    join(test, 0, "");
    UNTIL(test, first->seen_count == 100);
    assert_true(store(first));
    join(test, 1, "");
    /* what is revoked is let go at once, for nothing is in hand */
    UNTIL(test, second->ups == 1 && first->lost >= 2 &&
                    number_of(second, "highwater_kafka_partitions") >= 2);
    write_numbers(test, 100, 100);
    UNTIL(test, first->seen_count + second->seen_count == 200);
    assert_true(second->seen_count > 0);
    assert_true(store(first));
    assert_true(store(second));
    for (size_t i = 0; i < PARTITIONS; i++)
        assert_int_equal(test->positions[0][i], 50);
}

/* The first has read all, and is losing a part of it to a second one. */
static void divide(struct test *test)
{
    write_numbers(test, 0, 100);
    join(test, 0, "");
    UNTIL(test, test->members[0].seen_count == 100);
    join(test, 1, "");
    UNTIL(test, test->members[0].lost > 0);
}

static void test_source__what_leaves_is_let_go_when_it_is_stored(void **state)
{
    struct test *test = *state;
    struct member *first = &test->members[0];

    divide(test);
    let_pass(test,
             1000); /* in which the second would have them, and read them from where they stand */
    assert_true(store(first)); /* what is in hand is still marked */
    for (size_t i = 0; i < PARTITIONS; i++)
        assert_int_equal(test->positions[0][i], 25);
    UNTIL(test, number_of(&test->members[1], "highwater_kafka_partitions") >= 2);
    assert_int_equal(test->members[1].seen_count, 0);
}

/* What has let go of a part joins again, and is to be given what it keeps. */
static void test_source__a_member_ends_while_its_group_is_divided(void **state)
{
    struct test *test = *state;
    struct member *first = &test->members[0];

    divide(test);
    assert_true(store(first));
    end(test, 0);
    UNTIL(test, number_of(&test->members[1], "highwater_kafka_partitions") >= PARTITIONS);
}

/* max.poll.interval.ms is 3.5 s here: who reads nothing for that long is thrown out. */
static void test_source__a_pause_keeps_the_place(void **state)
{
    struct test *test = *state;
    struct member *member = &test->members[0];
    char file[] = "/tmp/kafka_source_test.XXXXXX";
    int descriptor = mkstemp(file);
    FILE *out = fdopen(descriptor, "w");

    assert_non_null(out);
    fputs("max.poll.interval.ms=3500\nsession.timeout.ms=3500\nheartbeat.interval.ms=100\n", out);
    fclose(out);
    write_numbers(test, 0, 100);
    join_with(test, 0, "", file);
    source_pause(member->source);
    UNTIL(test, member->ups == 1);
    let_pass(test, 4500);
    assert_int_equal(member->seen_count, 0);
    assert_int_equal(member->downs, 0);
    assert_int_equal(member->lost, 0);
    source_resume(member->source);
    UNTIL(test, member->seen_count == 100);
    remove(file);
}

static void test_source__a_position_after_the_end_is_held_until_it_is_moved(void **state)
{
    struct test *test = *state;
    struct member *member = &test->members[0];

    write_numbers(test, 0, 100);
    test->positions[0][3] = 400;
    join(test, 0, "");
    UNTIL(test, has_fault(member, TOPIC "/3 is held: its records from 25 to 399"));
    UNTIL(test, member->seen_count == 75); /* the others go on */
    assert_true(store(member));
    assert_true(number_of(member, "highwater_kafka_held_partitions") == 1);
    test->positions[0][3] = 20;
    UNTIL(test, member->seen_count == 80);
    assert_false(has_fault(member, "held"));
    assert_true(store(member));
    assert_int_equal(test->positions[0][3], 25);
}

/* The played broker keeps 5 MB of a partition. */
static void test_source__what_was_deleted_unread_is_held_and_named(void **state)
{
    struct test *test = *state;
    struct member *member = &test->members[0];
    char *value = mem_alloc(100001);
    struct record_to_write record = {.key = "device_1", .value = value};

    memset(value, 'x', 100000);
    value[100000] = '\0';
    for (size_t i = 0; i < 80; i++)
        write_record(test, &record);
    flush(test);
    free(value);
    test->positions[0][0] = 1;
    join(test, 0, "");
    UNTIL(test, has_fault(member, TOPIC "/0 is held: its records from 1 to "));
    assert_int_equal(member->seen_count, 0);
    assert_true(number_of(member, "highwater_kafka_missing_records_total") > 1);
    test->positions[0][0] = SOURCE_POSITION_NEW; /* whatever there is */
    UNTIL(test, member->seen_count > 0 && !has_fault(member, "held"));
}

static void add_header(rd_kafka_headers_t *headers, const char *name, const char *value)
{
    rd_kafka_header_add(headers, name, -1, value, -1);
}

static void test_source__a_record_of_a_collector_says_what_it_is(void **state)
{
    struct test *test = *state;
    struct member *member = &test->members[0];
    rd_kafka_headers_t *headers = rd_kafka_headers_new(3);
    struct record_to_write record = {.key = "d1", .value = "{\"t\":1}", .headers = headers};

    add_header(headers, "identity", "00000000000000ff");
    add_header(headers, "arrival", "2026-11-26T12:00:00.000001Z");
    add_header(headers, "topic", "zigbee/d1");
    write_record(test, &record);
    flush(test);
    join(test, 0, "");
    UNTIL(test, member->seen_count == 1);
    assert_true(member->seen[0].message.is_decoded);
    assert_int_equal(member->seen[0].message.content_hash, 255);
    assert_int_equal(member->seen[0].message.said_us, 1795694400000001);
    assert_string_equal(member->seen[0].topic, "zigbee/d1");
    assert_string_equal(member->seen[0].device, "d1");
    assert_int_equal(member->seen[0].message.rejected, READING_OK);
    assert_false(member->seen[0].message.is_shared);
}

/* Nobody is kept from writing to the topic. */
static void test_source__what_is_odd_is_taken_for_what_others_wrote(void **state)
{
    struct test *test = *state;
    struct member *member = &test->members[0];
    struct record_to_write records[] = {
        {.key = "d1", .value = "{\"t\":1}"},
        {.key = NULL, .value = "{\"t\":2}"},
        {.key = "a/b", .value = "{\"t\":3}"},
        {.key = "d1", .value = NULL}, /* a tombstone */
        {.key = "d1", .value = "[{\"t\":5}]", .headers = rd_kafka_headers_new(2)},
        {.key = "d1", .value = "{\"t\":6}", .headers = rd_kafka_headers_new(2)},
    };

    add_header(records[4].headers, "identity", "00000000000000ff"); /* of which of them? */
    add_header(records[4].headers, "topic", "devices/d9/readings");
    add_header(records[5].headers, "identity", "xyz");
    add_header(records[5].headers, "topic", "");
    for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++)
        write_record(test, &records[i]);
    flush(test);
    join(test, 0, "");
    UNTIL(test, member->seen_count == 5);
    assert_string_equal(member->seen[0].topic, TOPIC "/d1");
    assert_true(member->seen[0].message.said_us > INT64_C(1700000000000000));
    assert_true(member->seen[0].message.is_shared);
    assert_string_equal(member->seen[1].topic, TOPIC);
    assert_null(member->seen[1].device);
    assert_string_equal(member->seen[2].topic, TOPIC "/a/b");
    assert_null(member->seen[2].device);
    assert_string_equal(member->seen[3].topic, "devices/d9/readings");
    assert_string_equal(member->seen[4].topic, TOPIC "/d1");
    for (size_t i = 0; i < 5; i++)
        assert_false(member->seen[i].message.is_decoded);
    assert_true(number_of(member, "highwater_kafka_tombstones_total") == 1);
    assert_true(store(member));
    assert_int_equal(test->positions[0][0], 6);
}

static void test_source__a_rejected_message_comes_with_its_reason(void **state)
{
    struct test *test = *state;
    struct member *member = &test->members[0];
    struct record_to_write records[] = {
        {.topic = TOPIC RECORD_REJECTED_SUFFIX,
         .value = "junk",
         .headers = rd_kafka_headers_new(4)},
        {.topic = TOPIC RECORD_REJECTED_SUFFIX, .value = NULL, .headers = rd_kafka_headers_new(4)},
        {.topic = TOPIC RECORD_REJECTED_SUFFIX, .value = "{}", .headers = rd_kafka_headers_new(4)},
    };

    add_header(records[0].headers, "reason", "not_json");
    add_header(records[0].headers, "detail", "no JSON at 0");
    add_header(records[0].headers, "topic", "devices/d1/readings");
    add_header(records[1].headers, "reason", "empty");
    add_header(records[2].headers, "reason", "of a later version");
    for (size_t i = 0; i < 3; i++)
        write_record(test, &records[i]);
    flush(test);
    join(test, 0, "");
    UNTIL(test, member->seen_count == 3);
    assert_int_equal(member->seen[0].message.rejected, READING_NOT_JSON);
    assert_string_equal(member->seen[0].detail, "no JSON at 0");
    assert_string_equal(member->seen[0].topic, "devices/d1/readings");
    assert_int_equal(member->seen[1].message.rejected, READING_EMPTY);
    assert_int_equal(member->seen[1].message.bytes, 0);
    assert_int_equal(member->seen[2].message.rejected, READING_OK);
}

static void test_source__a_url_says_what_is_legal(void **state)
{
    static const char *const bad[] = {"kafka://h/t?grup=x", "kafka://h/t?group=a/b",
                                      "kafka://h",          "mqtt://h/t",
                                      "kafka://u:p@h/t",    "kafka://h/t?member="};

    (void)state;
    assert_null(source_url_flaw("kafka://h/t"));
    assert_null(source_url_flaw("kafka://h:1,[::1]:2/t.x?group=g&member=-"));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_non_null(source_url_flaw(bad[i]));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_source__reads_what_is_there_and_goes_on),
        TEST(test_source__starts_where_the_store_stands),
        TEST(test_source__nothing_comes_before_the_store_has_said_where),
        TEST(test_source__what_was_refused_comes_again_from_where_the_store_stands),
        TEST(test_source__what_came_past_our_queue_is_not_left_out),
        TEST(test_source__a_second_member_gets_a_part_and_nothing_twice),
        TEST(test_source__what_leaves_is_let_go_when_it_is_stored),
        TEST(test_source__a_member_ends_while_its_group_is_divided),
        TEST(test_source__a_pause_keeps_the_place),
        TEST(test_source__a_position_after_the_end_is_held_until_it_is_moved),
        TEST(test_source__what_was_deleted_unread_is_held_and_named),
        TEST(test_source__a_record_of_a_collector_says_what_it_is),
        TEST(test_source__what_is_odd_is_taken_for_what_others_wrote),
        TEST(test_source__a_rejected_message_comes_with_its_reason),
        cmocka_unit_test(test_source__a_url_says_what_is_legal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
