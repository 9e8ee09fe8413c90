/* roster.h: asks the database which collectors there are, again and again.
 *
 * Shape    one question at a time, on a connection of its own, so that it never waits for one that
 *          takes seconds. roster_ask() is cheap: asks at once, or as soon as the last question is
 *          ROSTER_PAUSE_MS old, or is answered; and it asks by itself every second.
 * Units    durations in ms.
 * Limits   of a standby nothing is handed over: what it says may be older than the question.
 * Errors   said once, until another one comes. Without an answer nothing happens: on_rows() is only
 *          called with what the database has said.
 * Owner    roster_start(), and roster_close(), which frees it when on_closed comes.
 */
#ifndef HIGHWATER_ROSTER_H
#define HIGHWATER_ROSTER_H

#include "httpapi/weighing.h"

#include <stddef.h>
#include <stdint.h>
#include <uv.h>

enum { ROSTER_PAUSE_MS = 50, ROSTER_EVERY_MS = 1000, ROSTER_HEARD_MS = 3000 };

struct roster;

struct roster_config {
    const char *url;
    void *user;
    /* What the caller has heard, asked for before the question leaves. */
    uint64_t (*get_mark)(void *user);
    /* With each answer, of a standby too, and after the rows: the table's features, "a,b"; "" = there
     * is no table yet. */
    void (*on_columns)(void *user, const char *columns);
    void (*on_rows)(void *user, const struct roster_row *rows, size_t count, uint64_t mark);
};

/* NULL when the URL is no connection string; `error` says why. */
struct roster *roster_start(uv_loop_t *loop, const struct roster_config *config, char *error,
                            size_t error_bytes);
void roster_ask(struct roster *roster);
void roster_close(struct roster *roster, void (*on_closed)(void *user), void *user);

/* Why the database is not usable although it answers: a right that lacks, tables of a newer version.
 * "" = it is. */
const char *roster_lacks(const struct roster *roster);

/* Whether the database was a standby when it answered last, and as of when. */
bool roster_is_standby(const struct roster *roster, int64_t *as_of_us);

/* It has answered within ROSTER_HEARD_MS: it is there, and does not stand still. */
bool roster_is_heard(const struct roster *roster);

/* Of the loop's clock, 0 = never: when it answered last, and when an answer told of batches that the one
 * before did not have. */
uint64_t roster_heard_ms(const struct roster *roster);
uint64_t roster_stored_ms(const struct roster *roster);
size_t roster_collector_count(const struct roster *roster);

/* Its last answer was that it cannot: the tables lack, or the right to read them. */
bool roster_complains(const struct roster *roster);

uint64_t roster_answer_count(const struct roster *roster);
uint64_t roster_failure_count(const struct roster *roster);

#endif
