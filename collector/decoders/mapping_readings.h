/* mapping_readings.h: what one message says, by device and moment.
 *
 * Why      a list of names and values, or a rule for the status beside one for the numbers, says one
 *          thing of one device in several places. That is one reading.
 * Shape    readings in the order of their first word, each with its values as a chain: a reading of a
 *          wide fleet costs what it carries. They are found by device and time in a hash table.
 *          What says again what a reading has already begins another one; where no time is given
 *          that is a microsecond later, as with the elements of an array that say none.
 * Errors   false: there are MAPPING_READINGS_MAX already.
 * Owner    the memory is kept from message to message, and freed by mapping_readings_release().
 */
#ifndef HIGHWATER_MAPPING_READINGS_H
#define HIGHWATER_MAPPING_READINGS_H

#include "shared/model/reading.h"

enum { MAPPING_READINGS_MAX = 100000 };

/* In the place of a feature: a value under a name that no feature has. It counts for the identity of its
 * reading, which must not change with FEATURES, and for nothing else. */
#define MAPPING_NO_FEATURE UINT32_C(0x80000000)

/* What a rule has found in one member. */
struct mapping_words {
    const char *device;
    size_t device_bytes;
    bool has_time;
    bool is_from_arrival; /* such a time is another one when the message comes again */
    int64_t time_us;
    int64_t seq;
    enum reading_status status;
    const char *from; /* the member's bytes, its name among them */
    const char *to;
    uint64_t said_elsewhere; /* mixed hashes of what else it depends on */
    const struct mapping_value *values;
    size_t value_count;
};

struct mapping_value {
    double number;
    uint32_t feature; /* of struct features, or MAPPING_NO_FEATURE and a hash of its name */
    uint32_t next;    /* of the same reading, 1 more than its position; 0 at the end */
};

struct mapping_reading {
    uint64_t key;
    size_t device_at; /* in device_ids */
    size_t device_bytes;
    bool has_time;
    bool is_from_arrival;
    int64_t time_us; /* where there is none: how many of this device without a time came before */
    int64_t seq;
    enum reading_status status;
    const char *from;
    const char *to;
    uint64_t said_elsewhere;
    int64_t content_hash;
    uint32_t values; /* as `next` */
};

struct mapping_readings {
    struct mapping_reading *items;
    size_t count;
    size_t capacity;
    struct mapping_value *values;
    size_t value_count;
    size_t value_capacity;
    char *device_ids;
    size_t id_bytes;
    size_t id_capacity;
    uint32_t *slots; /* 1 more than the position of the first reading of a device and moment */
    size_t slot_count;
};

/* The hash of two hashes, the same on every machine. */
uint64_t mapping_hash_mix(uint64_t a, uint64_t b);

void mapping_readings_clear(struct mapping_readings *readings);
bool mapping_readings_add(struct mapping_readings *readings, const struct mapping_words *words);

/* Works out the hashes, `topic` being that of the topic; the bytes that members came from are not needed
 * later. Readings that have neither a status nor a value of a feature are left out. */
void mapping_readings_close(struct mapping_readings *readings, uint64_t topic);

const char *mapping_readings_device(const struct mapping_readings *readings, size_t number);

/* All of one reading; `first_us` stands in for a time that is not given. */
void mapping_readings_get(const struct mapping_readings *readings, size_t number,
                          size_t feature_count, int64_t first_us, struct reading *out);

void mapping_readings_release(struct mapping_readings *readings);

#endif
