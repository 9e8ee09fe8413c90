/* crossings.h: which devices are beyond a threshold, as collectors retain it at the broker.
 *
 * Shape    one for each message on collectors/<id>/thresholds/<feature>/<above|below>/<device>; an empty
 *          one takes it away. So it is what the broker has, of whoever may publish there; whose are shown,
 *          the speakers say (speakers.h): those of collectors that the database knows and that are live.
 * Order    by when a device crossed; of equal moments by the hash of the topic. That is the cursor, too.
 * Cost     about 120 bytes each, CROSSINGS_MAX at most. A page looks at each once: 10 ms for all that
 *          there may be.
 * Limits   where there is no room strangers make it; what finds none then is missing, and the answer
 *          says that it is not complete, as it does while a collector counts more or fewer than have come.
 * Errors   false when a message is none, with a fault in words.
 * Owner    crossings_new() and crossings_free(); what a page points to is valid until the next call.
 */
#ifndef HIGHWATER_CROSSINGS_H
#define HIGHWATER_CROSSINGS_H

#include "httpapi/params.h"
#include "httpapi/speakers.h"
#include "shared/base/buffer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CROSSINGS_MAX = 250000, CROSSINGS_PAYLOAD_MAX_BYTES = 4096, CROSSINGS_PAGE_MAX = 1000 };

struct crossings;

struct crossing_source; /* a collector */

/* One device and threshold. */
struct crossing {
    struct crossing *next; /* in its bucket */
    struct crossing_source *source;
    uint64_t hash;
    int64_t since_us; /* of the reading that crossed, */
    double value;     /* and its value */
    double limit;
    bool is_below;
    uint8_t feature_bytes;
    char text[]; /* feature/side/device */
};

/* Those of a threshold that are meant, on all pages. */
struct crossing_count {
    const struct crossing *one; /* which says which threshold */
    size_t devices;
};

enum { CROSSING_COUNTS_MAX = 2 * FEATURES_MAX };

struct crossings_page {
    size_t count;
    const struct crossing *items[CROSSINGS_PAGE_MAX];
    bool has_more;
    size_t total;
    size_t threshold_count; /* of CROSSING_COUNTS_MAX at most */
    struct crossing_count thresholds[CROSSING_COUNTS_MAX];
    bool is_complete;
};

/* What a page is of. */
struct crossings_question {
    const char *feature; /* NULL = of all */
    bool is_of_side;
    bool is_below;
    bool is_newest_first;
    size_t limit;
    const struct params_cursor *after;
    /* NULL = any device, else whether it is one of those that are looked for */
    bool (*is_wanted)(const void *wanted, const char *device_id);
    const void *wanted;
};

struct crossings *crossings_new(void);
void crossings_free(struct crossings *crossings);

/* Whether a topic is of these. */
bool crossings_have(const char *topic);

bool crossings_apply(struct crossings *crossings, const struct speakers *speakers,
                     const char *topic, const void *payload, size_t bytes, const char **fault);

/* On a new connection the broker sends all that is retained again. */
void crossings_forget(struct crossings *crossings);

void crossings_ask(struct crossings *crossings, const struct speakers *speakers, uint64_t now_ms,
                   const struct crossings_question *question, struct crossings_page *out);

/* The devices of all pages, as an array in JSON, in which who is beyond two stands twice. */
void crossings_put_devices(struct crossings *crossings, const struct speakers *speakers,
                           uint64_t now_ms, const struct crossings_question *question,
                           struct buffer *out);

size_t crossings_count(const struct crossings *crossings);

/* Messages that were applied, or refused. */
uint64_t crossings_message_count(const struct crossings *crossings, bool bad);

const char *crossing_device(const struct crossing *crossing);
const char *crossing_collector(const struct crossing *crossing);

#endif
