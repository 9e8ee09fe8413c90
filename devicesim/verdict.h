/* verdict.h: what a store has, against the ledger of what was sent to it.
 *
 * Shape    lost        acknowledged, and neither a row nor, where that was to be expected, among
 *                      the rejected messages
 *          doubled     more than one row for one reading: same device, time and content
 *          unexpected  a row, or a rejected message, that was never sent that way. Only devices of
 *                      the ledger are looked at, and the time in which it was sent: what the same
 *                      devices sent before and after it is counted as "others".
 *          deaths      rows that a host wrote of its own accord, of Sparkplug devices that are gone
 *          What was sent and never acknowledged may be there or not, and so may what the broker
 *          acknowledged as having no subscribers ("unheard").
 *          A look is verdict_start(), each row and each rejected message once, verdict_conclude().
 * Errors   none.
 * Owner    embedded; the ledger is the caller's; what was found is counted there.
 */
#ifndef HIGHWATER_VERDICT_H
#define HIGHWATER_VERDICT_H

#include "devicesim/ledger.h"
#include "shared/base/buffer.h"

#include <stdint.h>
#include <stdio.h>

enum { VERDICT_EXAMPLES_MAX = 10 };

struct verdict_counts {
    uint64_t sent;
    uint64_t acked;
    uint64_t unheard;
    uint64_t found;
    uint64_t lost;
    uint64_t doubled;
    uint64_t unexpected;
    uint64_t others; /* of the same devices, but not of this run */
};

struct verdict {
    struct ledger *ledger;
    struct verdict_counts readings;
    struct verdict_counts rejections;
    uint64_t deaths;
    FILE *examples;         /* gets the first few of each kind; NULL = none are wanted */
    unsigned examples_told; /* of the kind being counted */
};

/* A row of the store. */
struct verdict_row {
    const char *device_id;
    int64_t recorded_at_us;
    int64_t received_at_us;
    uint8_t status;
    const double *values; /* in the order of the ledger's features, NAN = absent */
};

/* A rejected message of the store. */
struct verdict_rejection {
    const char *device_id;
    int64_t received_at_us;
    uint32_t bytes;
    const char *head; /* the beginning of its bytes in hexadecimal */
};

void verdict_start(struct verdict *verdict, struct ledger *ledger, FILE *examples);
void verdict_add_row(struct verdict *verdict, const struct verdict_row *row);
void verdict_add_rejection(struct verdict *verdict, const struct verdict_rejection *rejection);
void verdict_conclude(struct verdict *verdict);

/* How much is lost, doubled or unexpected; 0 = the store is right. */
uint64_t verdict_mismatches(const struct verdict *verdict);

/* Appends the result, for people and for machines. */
void verdict_put_text(const struct verdict *verdict, struct buffer *out);
void verdict_put_json(const struct verdict *verdict, struct buffer *out);

#endif
