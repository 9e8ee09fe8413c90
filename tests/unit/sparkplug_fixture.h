/* sparkplug_fixture.h: what a host knows, and one edge node E of group G with a device D that tells it.
 *
 * Shape    each message is encoded and taken. A number of the sequence below 0 is none, and so is a time of 0.
 * Errors   fail the test.
 * Owner    sp_teardown() frees what sp_setup() made.
 */
#ifndef HIGHWATER_SPARKPLUG_FIXTURE_H
#define HIGHWATER_SPARKPLUG_FIXTURE_H

#include "collector/decoders/sparkplug.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NBIRTH "spBv1.0/G/NBIRTH/E"
#define NDEATH "spBv1.0/G/NDEATH/E"
#define DBIRTH "spBv1.0/G/DBIRTH/E/D"
#define DDATA "spBv1.0/G/DDATA/E/D"
#define DDEATH "spBv1.0/G/DDEATH/E/D"

enum { T0 = 1000 };

struct sparkplug_fixture {
    struct sparkplug state;
    struct buffer json;
    struct sparkplug_result result;
    uint64_t epoch;
    int64_t now_us;
    bool is_again;
    bool is_at_most_once;
};

extern struct sparkplug_fixture sp;

int sp_setup(void **state);
int sp_teardown(void **state);

enum sparkplug_outcome sp_take(const char *topic, int seq, uint64_t at_ms,
                               const struct sparkplug_metric *metrics, size_t count);
enum sparkplug_outcome sp_nbirth(int bd_seq, int seq, uint64_t at_ms);
enum sparkplug_outcome sp_ndeath(int bd_seq);

/* Alias 1 is an Int16 of this name, or Oil. */
enum sparkplug_outcome sp_dbirth_as(const char *name, int seq, uint64_t at_ms);
enum sparkplug_outcome sp_dbirth(int seq, uint64_t at_ms);

/* The value is -1, if it is an Int16. */
enum sparkplug_outcome sp_data(uint64_t alias, int seq, uint64_t at_ms);

/* How many births were asked for since the last time. */
size_t sp_requests(void);

/* Node and device, with the numbers 0 and 1, at T0; nobody was asked for it. */
void sp_be_born(void);

#endif
