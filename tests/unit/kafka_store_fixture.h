/* kafka_store_fixture.h: a store on a Kafka that librdkafka plays in this process, batches for it, and what is on
 * the topics.
 *
 * Shape    one cluster of one broker for all tests of a program, since its end takes a second; each test has
 *          topics of its own, a loop, and a store whose seconds are short.
 * Errors   fail the test.
 */
#ifndef HIGHWATER_KAFKA_STORE_FIXTURE_H
#define HIGHWATER_KAFKA_STORE_FIXTURE_H

#include "collector/devices.h"
#include "collector/settings.h"
#include "collector/stores/kafka/kafka_store_inner.h"

#include <librdkafka/rdkafka_mock.h>

enum { KAFKA_DEVICES = 7, KAFKA_ROWS_MOST = 20000, KAFKA_PRODUCE_API = 0 };

extern struct kafka_played {
    rd_kafka_t *rk;
    rd_kafka_mock_cluster_t *cluster;
    unsigned topics;
} kafka_played;

/* What the test that runs has, and what its store has told. */
extern struct kafka_test {
    uv_loop_t loop;
    uv_timer_t deadline;
    char topic[16];
    char rejected_topic[32];
    struct settings settings;
    struct devices devices;
    struct batch batch;
    struct store *store;
    char url[200];
    unsigned ready, unready, stored, closed;
    struct store_outcome outcome;
} kafka_test;

/* What kafka_read_all() found on the topics. */
extern struct kafka_found {
    unsigned seen[KAFKA_ROWS_MOST]; /* of each row of the batch, how many records */
    int64_t last_of[KAFKA_DEVICES];
    bool was_disordered;
    unsigned rejected, refused;
    struct buffer rejected_bytes;
} kafka_found;

/* Of the group of tests, and of each. */
int kafka_play(void **state);
int kafka_stop_playing(void **state);
int kafka_setup(void **state);
int kafka_teardown(void **state);

struct kafka_store *kafka_writer(void);
void kafka_on_closed(void *user);

void kafka_run_until(const unsigned *count, unsigned wanted);
void kafka_run_until_held(bool is_held);

/* The next so many requests to produce are answered so. */
void kafka_refuse(rd_kafka_resp_err_t error, size_t times);
void kafka_set_broker(bool is_up);

/* Makes the batch: rows whose value is their number in it, so that their records can be told; and adds a
 * rejected message. */
void kafka_fill(size_t count);
void kafka_reject(const char *payload, size_t bytes);

/* Begins the batch and waits until it is stored. */
void kafka_store_all(void);

void kafka_read_all(void);

/* Each row of the batch once, or at least once. */
void kafka_assert_there(size_t count, bool exactly);

#endif
