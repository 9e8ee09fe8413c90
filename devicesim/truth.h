/* truth.h: writes the record of what was sent and what was acknowledged, to compare a store with.
 *
 * Shape    CSV, one line per event, each written by itself before anything else happens, so that
 *          the file is right up to the line a kill fell into:
 *            event,number,at,expect,kind,device,recorded_at,status,<features>,bytes,head
 *            sent,12,..Z,stored,reading,device_1,..Z,ON,12.5,101.3,,
 *            sent,13,..Z,rejected,half,device_1,,,,,55,7b2264..
 *            acked,12,..Z,0
 *            born,,..Z,,,device_1
 *          `sent` is written before the message is published, `acked` when its PUBACK has come,
 *          with the reason code of MQTT 5 (0 or 16, "no matching subscribers") in the place of
 *          `expect`. `born` is a birth of a Sparkplug device, written before it is sent: after each one
 *          a store may once say that the device is gone, with a row that nobody sent. A message that must not be stored has no reading; it is recorded by its
 *          length and the beginning of its bytes in hexadecimal.
 * Units    times in UTC with microseconds.
 * Errors   truth_open() is false; a line that cannot be written sets `failed`, once, with errno.
 * Owner    embedded; truth_close() closes the file.
 */
#ifndef HIGHWATER_TRUTH_H
#define HIGHWATER_TRUTH_H

#include "shared/base/buffer.h"
#include "shared/model/features.h"
#include "shared/model/reading.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TRUTH_HEAD_BYTES = 200 };

enum truth_expect {
    TRUTH_STORED,   /* must be a row */
    TRUTH_REJECTED, /* must be among the rejected messages */
    TRUTH_EITHER,   /* in one of the two places: it depends on when it arrives */
    TRUTH_EXPECT_COUNT
};

/* What is known about one message. */
struct truth_message {
    enum truth_expect expect;
    const char *kind; /* "reading", "repeated", the class of a malformed one */
    const char *device_id;
    const struct reading *reading; /* NULL when it must be rejected */
    const void *payload;
    size_t bytes;
};

struct truth {
    int fd; /* -1 = no record is kept */
    const struct features *features;
    struct buffer line;
    int failed; /* errno of the first line that could not be written */
};

/* A `path` of NULL keeps no record. Appends to a file that is there, with a header of its own, so
 * that several runs against one store have one record. */
bool truth_open(struct truth *truth, const char *path, const struct features *features);
void truth_close(struct truth *truth);

void truth_sent(struct truth *truth, uint64_t number, int64_t now_us,
                const struct truth_message *message);
/* A device's birth is about to be sent. */
void truth_born(struct truth *truth, int64_t now_us, const char *device_id);

void truth_acked(struct truth *truth, uint64_t number, int64_t now_us, int reason);

const char *truth_expect_text(enum truth_expect expect);
bool truth_expect_parse(enum truth_expect *out, const char *text);

#endif
