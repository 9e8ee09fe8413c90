/* moments.h: as of which moment the boards are, and for how long they have been as they are.
 *
 * Shape    boards are made at moments of the grid (board.h), in order. Between two of them nothing
 *          changes but by a reading that is taken or by an entry that expires; so the boards of one
 *          moment hold at the following ones, too, up to the first at which either may show. That
 *          run of moments, since to as_of, is the span that a status vouches for.
 * Late     a moment can be made late, even much later, as long as no reading that was received after
 *          it has been taken. Then a moment may be skipped; it is in no span.
 * Units    microseconds since 1970. Nothing here has a clock.
 * Owner    embedded; nothing to release.
 */
#ifndef HIGHWATER_MOMENTS_H
#define HIGHWATER_MOMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct moments {
    int64_t as_of_us;  /* the latest moment that the boards hold at */
    int64_t since_us;  /* the first one of that run */
    int64_t expiry_us; /* an entry expires then; INT64_MAX = none ever */
    int64_t spoilt_us; /* no moment up to this one can be made any more */
    bool has_news;     /* readings have been taken that were received after as_of */
};

/* Begins at the latest moment that is not after `now_us`. */
void moments_init(struct moments *moments, int64_t now_us);

/* Readings are taken that were received after as_of. */
void moments_note_news(struct moments *moments);

/* Readings are taken that may have been received (by others) at any time before `us`. */
void moments_spoil(struct moments *moments, int64_t us);

/* Lets the span reach as far as the boards surely hold, `as_of_us` at most. True when it does not
 * reach that moment and the boards are to be made for it: then moments_made() must follow. */
bool moments_reach(struct moments *moments, int64_t as_of_us);

/* The boards were made for this moment. */
void moments_made(struct moments *moments, int64_t as_of_us, bool is_changed, int64_t expiry_us);

/* Goes to a moment for which no boards are made; the next one makes them. */
void moments_skip(struct moments *moments, int64_t as_of_us);

/* The next moment at which boards may have to be made, INT64_MAX when nothing is to come. */
int64_t moments_next(const struct moments *moments);

/* The moments at which a batch is to be cut whose readings were received from first to last: from
 * this one on, one after the other, each before `last_us`. Of a very long batch only the last ones.
 */
int64_t moments_first_cut(int64_t first_us, int64_t last_us);

#endif
