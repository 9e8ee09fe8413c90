#include "tests/unit/sparkplug_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

struct sparkplug_fixture sp;

int sp_setup(void **state)
{
    (void)state;
    sp = (struct sparkplug_fixture){.epoch = 1, .now_us = 1000000};
    return 0;
}

int sp_teardown(void **state)
{
    (void)state;
    sparkplug_release(&sp.state);
    buffer_release(&sp.json);
    return 0;
}

enum sparkplug_outcome sp_take(const char *topic, int seq, uint64_t at_ms,
                               const struct sparkplug_metric *metrics, size_t count)
{
    const struct sparkplug_payload payload = {.has_timestamp = at_ms > 0,
                                              .timestamp_ms = at_ms,
                                              .has_seq = seq >= 0,
                                              .seq = (uint64_t)seq,
                                              .metric_count = count};
    struct buffer bytes = {0};
    struct sparkplug_message message = {.topic = topic,
                                        .epoch = sp.epoch,
                                        .now_us = sp.now_us,
                                        .is_again = sp.is_again,
                                        .is_at_most_once = sp.is_at_most_once};
    enum sparkplug_outcome outcome;

    sparkplug_write(&bytes, &payload, metrics);
    message.payload = bytes.data;
    message.bytes = bytes.bytes;
    buffer_clear(&sp.json);
    outcome = sparkplug_take(&sp.state, &message, &sp.json, &sp.result);
    buffer_release(&bytes);
    return outcome;
}

enum sparkplug_outcome sp_nbirth(int bd_seq, int seq, uint64_t at_ms)
{
    const struct sparkplug_metric metric = {.name = {"bdSeq", 5},
                                            .type = SPARKPLUG_INT64,
                                            .field = SPARKPLUG_IN_LONG,
                                            .whole = (uint64_t)bd_seq};

    return sp_take(NBIRTH, seq, at_ms, &metric, 1);
}

enum sparkplug_outcome sp_ndeath(int bd_seq)
{
    const struct sparkplug_metric metric = {
        .name = {"bdSeq", 5}, .field = SPARKPLUG_IN_LONG, .whole = (uint64_t)bd_seq};

    return sp_take(NDEATH, -1, T0, &metric, 1);
}

/* Alias 1 is an Int16. */
enum sparkplug_outcome sp_dbirth_as(const char *name, int seq, uint64_t at_ms)
{
    const struct sparkplug_metric metric = {.name = {name, strlen(name)},
                                            .has_alias = true,
                                            .alias = 1,
                                            .type = SPARKPLUG_INT16,
                                            .field = SPARKPLUG_IN_INT,
                                            .whole = 20};

    return sp_take(DBIRTH, seq, at_ms, &metric, 1);
}

enum sparkplug_outcome sp_dbirth(int seq, uint64_t at_ms)
{
    return sp_dbirth_as("Oil", seq, at_ms);
}

enum sparkplug_outcome sp_data(uint64_t alias, int seq, uint64_t at_ms)
{
    const struct sparkplug_metric metric = {
        .has_alias = true, .alias = alias, .field = SPARKPLUG_IN_INT, .whole = 0xffff};

    return sp_take(DDATA, seq, at_ms, &metric, 1);
}

size_t sp_requests(void)
{
    size_t count = 0;

    while (sparkplug_next_request(&sp.state))
        count++;
    return count;
}

void sp_be_born(void)
{
    assert_int_equal(sp_nbirth(3, 0, T0), SPARKPLUG_READ);
    assert_int_equal(sp_dbirth(1, T0), SPARKPLUG_READ);
    assert_int_equal(sp_requests(), 0);
}
