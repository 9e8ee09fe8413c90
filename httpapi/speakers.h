/* speakers.h: the collectors that were heard over MQTT, and how much is kept of each.
 *
 * Why      any client that may publish can speak as thousands of collectors, with boards as large as
 *          messages may be. Only those that the database knows are ever answered from; the others
 *          share a little memory, and make room for each other.
 *          Of strangers no more is read than a part of what can be: a flood of theirs costs little.
 * Shape    per collector the last of each board, and what it vouched for in the last seconds, as
 *          spans that hold boards. A stranger is a collector that the last answer of the database did not
 *          name, and before the first answer all are.
 * Errors   speakers_find_or_add() is NULL for an id that is not legal, and when all places are taken
 *          by collectors that are known.
 * Owner    embedded; speakers_clear() frees all that is kept.
 */
#ifndef HIGHWATER_SPEAKERS_H
#define HIGHWATER_SPEAKERS_H

#include "httpapi/board_cache.h"
#include "httpapi/weighing.h"

#define SPEAKER_KEEPS_MOST ((size_t)64 * 1024 * 1024)  /* bytes, of one that is known */
#define STRANGERS_KEEP_MOST ((size_t)32 * 1024 * 1024) /* of all others together */

struct speaker {
    char id[DEVICE_ID_SIZE];
    enum collector_state state;
    int64_t
        state_us; /* when it came into that state; 0 = not known, as with a retained last will */
    enum collector_lack lacks;
    int64_t beyond;         /* a threshold: devices, each as often as it is; -1 = not said */
    int64_t uncommitted_us; /* when its oldest reading came that is not committed; 0 = none waits */
    bool is_heard;          /* by a status that can be believed, at heard_ms */
    bool is_merged;         /* in the current set */
    bool is_known;          /* to the database */
    uint64_t heard_ms;
    uint64_t spoke;                /* when, among all messages */
    size_t bytes;                  /* that are kept of it, as of the last speakers_fit() */
    char *shown;                   /* what it said; NULL before the first status */
    struct catalog_offer kept;     /* what it last said that it keeps */
    struct board_version **latest; /* [board_position()]; the last that came, NULL for none */
    size_t span_count;
    struct span *spans[BOARD_CACHE_SPANS_MAX]; /* oldest first */
};

enum { STRANGERS_PER_SECOND = 500 /* messages that are read */ };

struct speakers {
    size_t known_count;
    char (*known)[DEVICE_ID_SIZE]; /* the ids that the database knows */
    bool has_known;                /* it has said so */
    uint64_t second;               /* of the loop's clock */
    unsigned of_strangers;         /* messages in that second */
    size_t boards;                 /* that can be asked for */
    size_t count;
    uint64_t spoken; /* messages */
    struct speaker *items[BOARD_CACHE_COLLECTORS_MAX];
};

void speakers_init(struct speakers *speakers, size_t boards);
void speakers_clear(struct speakers *speakers); /* what was said, not which are known */
void speakers_release(struct speakers *speakers);

/* The collectors that the database knows now. */
void speakers_know(struct speakers *speakers, const struct roster_row *rows, size_t count);
bool speakers_is_known(const struct speakers *speakers, const char *id, size_t bytes);

/* False for a message that is not to be read, since strangers have said enough in this second. Before
 * the database has answered once, all that is retained must be let in. */
bool speakers_may_speak(struct speakers *speakers, const char *id, size_t bytes, uint64_t now_ms);

/* Takes what a status says of its state; since when, a retained one says by its as-of. */
void speaker_note(struct speaker *speaker, const struct collector_status *status, bool is_retained,
                  int64_t now_us);

/* It has said something lately, and not that it ends. */
bool speaker_is_there(const struct speaker *speaker, uint64_t now_ms);
bool speaker_is_live(const struct speaker *speaker, uint64_t now_ms);

/* What the collectors that are there keep, together; if none is there, what the silent ones kept. In
 * the order of their ids, so that reconnects change nothing. Before the database has answered all
 * collectors count, after that only those it knows. */
void speakers_offer(const struct speakers *speakers, uint64_t now_ms, struct catalog_offer *out);

/* NULL when it has not spoken. */
struct speaker *speakers_find(const struct speakers *speakers, const char *id, size_t bytes);

/* The collector that speaks. When all places are taken a new one gets that of the stranger that has
 * been silent for longest. */
struct speaker *speakers_find_or_add(struct speakers *speakers, const char *id, size_t bytes);
void speakers_drop(struct speakers *speakers, struct speaker *gone);

/* Keeps it in the place of those that are too old or too many. */
void speaker_add_span(struct speaker *speaker, struct span *span, uint64_t now_ms);

/* Lets go of what is kept beyond the limits: the speaker's oldest spans, or strangers. False when
 * that was the speaker itself. */
bool speakers_fit(struct speakers *speakers, struct speaker *speaker);

#endif
