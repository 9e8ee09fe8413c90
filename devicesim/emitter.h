/* emitter.h: turns a reading into messages, with the faults that are drawn for it.
 *
 * Shape    emitter_send() composes topic and payload of one reading and publishes it, and with it
 *          the repetition, the malformed and the wrongly addressed messages that its draw asks
 *          for. A reading that is out of order is kept until the next one of its device has left.
 * Units    microseconds of the wall clock.
 * Errors   none: what the library refuses is counted.
 * Owner    embedded; emitter_release() frees what is still kept.
 */
#ifndef HIGHWATER_EMITTER_H
#define HIGHWATER_EMITTER_H

#include "devicesim/fault.h"
#include "devicesim/payload_shape.h"
#include "devicesim/publishers.h"
#include "shared/base/buffer.h"
#include "shared/model/features.h"
#include "shared/model/reading.h"
#include "shared/model/topic.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct oversize;
struct latency_probe;

struct emitter_config {
    const struct topic_filter *topic; /* its '+' is where the device id goes */
    const struct features *features;
    struct fault_rules faults;
    bool with_seq;
    enum payload_shape shape;
    uint64_t oversized_bytes;
    struct publishers *publishers;
    struct oversize *oversize;
    struct latency_probe *probe; /* NULL = boards are not looked at */
    struct report *report;
};

/* A reading that waits for the next one of its device. */
struct emitter_kept {
    enum truth_expect expect;
    uint64_t k;
    struct reading *reading; /* in the same allocation */
};

struct emitter {
    struct emitter_config config;
    struct emitter_kept **kept; /* by device; NULL = none */
    size_t device_capacity;
    struct buffer topic;
    struct buffer payload;
};

struct emitter_reading {
    size_t publisher;
    uint32_t device;
    const char *device_id;
    uint64_t k; /* the device's number for it */
    const struct reading *reading;
    enum truth_expect expect; /* TRUTH_STORED or TRUTH_EITHER */
};

void emitter_init(struct emitter *emitter, const struct emitter_config *config);
void emitter_release(struct emitter *emitter);

void emitter_send(struct emitter *emitter, const struct emitter_reading *what,
                  const struct fault_draw *draw);

/* Sends what is still kept for the device: no next reading will come. */
void emitter_finish(struct emitter *emitter, size_t publisher, uint32_t device,
                    const char *device_id);

#endif
