/* board_publisher.h: publishes the boards when they change, and says how this collector is.
 *
 * Shape    puts them into the sinks (sink.h). Boards are made as of times of a grid
 *          (board.h): as of such a time they hold every reading that was received up to it and is
 *          stored, none that was received later, and nothing that has expired by then, however late
 *          they are made. One that differs from what was last published goes out, retained, under
 *          the next generation of its own; then a status, retained, that names the generation of
 *          each board and the times from `since` to `asOf` at which the boards were these. Another
 *          goes out every second, and, while other collectors are live, at each such time, so that
 *          there is always one that all vouch for.
 *          Nothing is computed unless readings were taken or an entry expires.
 * Holds    asOf stands still while readings are in flight that were received before it, or the
 *          broker or the database is away.
 * Order    a batch is taken part by part: board_publisher_reach(an as-of time) before the first reading that was
 *          received after it is put into the windows, board_publisher_note_news() before each part.
 * Source   status fields: docs/ARCHITECTURE.md.
 */
#ifndef HIGHWATER_BOARD_PUBLISHER_H
#define HIGHWATER_BOARD_PUBLISHER_H

#include "collector/moments.h"
#include "collector/sink.h"
#include "collector/windows.h"
#include "shared/model/board.h"
#include "shared/model/features.h"

struct board_publisher;

struct board_publisher_config {
    const struct sinks *sinks; /* kept by the caller until the publisher is closed; closed by it */
    const char *collector_id;
    const struct features *features;
    const struct intervals *intervals;
    struct windows *windows;
    size_t top_n;
    int64_t started_at_us; /* generations begin here, so that they rise across starts */
    void *user;
    /* Everything that was received up to this time, itself included, is in the windows or never
     * will be; INT64_MIN when that cannot be said. */
    int64_t (*settled_until_us)(void *user, int64_t now_us);
    int64_t (*turn)(void *user); /* NULL = 0 */
    /* Appends the members of the status, `"state":"live",...` without braces. */
    void (*put_status)(void *user, struct buffer *out);
    void (*on_shown)(void *user); /* boards with all that the last load brought are out */
    /* What else stands beside the boards; these may be NULL. The sink that has it has come (again); it
     * had this; it took one at least of those that were put not. */
    void (*on_ready)(void *user);
    void (*on_recalled)(void *user, const char *key, const void *bytes, size_t count);
    void (*on_note_refused)(void *user);
};

/* What was last published of one board. */
struct board_copy {
    bool is_current; /* the windows have not changed it since */
    bool is_exact;
    int64_t as_of_us;
    int64_t generation;      /* 0 = nobody may rely on it */
    int64_t last_generation; /* of all that were published */
    size_t count;
    uint32_t *devices;
    unsigned char *readings;
};

struct board_publisher {
    struct board_publisher_config config;
    struct board_copy *copies; /* per ranking, per interval */
    struct windows_entry *entries;
    struct board_entry *named;
    struct buffer key;
    struct buffer payload;
    char status_key[128];
    char rejected_key[128];
    char installation[MQTT_IDENTITY_MARK_SIZE];
    uv_timer_t as_of_timer; /* the next time at which boards may change */
    uv_timer_t status_timer;
    struct moments moments;
    int64_t status_as_of_us; /* of the last status */
    uint64_t rejected_lines; /* published in this second */
    bool is_complete;        /* false: warming; boards are not published */
    bool is_loading;         /* the windows gain what others have stored */
    bool is_fresh;           /* a load has ended, and no boards were made since */
    bool has_company;        /* other collectors are live */
    uint64_t boards_published;
    unsigned open_parts;
    void (*on_closed)(struct board_publisher *publisher);
};

void board_publisher_start(struct board_publisher *publisher, uv_loop_t *loop,
                           const struct board_publisher_config *config);

/* Who speaks, before its first turn. */
void board_publisher_set_identity(struct board_publisher *publisher,
                                  const struct mqtt_identity *identity);

/* Of several collectors with one id only the one whose turn it is speaks; at first none does. */
void board_publisher_set_active(struct board_publisher *publisher, bool is_active);

/* As of when the boards are, and the windows: what is inserted is inserted at this `now`. */
static inline int64_t board_publisher_as_of_us(const struct board_publisher *publisher)
{
    return publisher->moments.as_of_us;
}

/* Everything that was received up to this time is in the windows, and nothing that was received
 * later: makes the boards for it, where that was not done before. */
void board_publisher_reach(struct board_publisher *publisher, int64_t as_of_us);

/* Readings that were received after the last as-of time are about to be applied. */
void board_publisher_note_news(struct board_publisher *publisher);

/* Something was settled: looks whether another as-of time can be reached. */
void board_publisher_update(struct board_publisher *publisher);

/* A load is running, and its snapshot is of this time: from now on the windows may hold what
 * others received before it, so no board can be made any more as of a time before it. */
void board_publisher_set_loading(struct board_publisher *publisher, int64_t snapshot_us);

/* Whether the windows hold all that they should; until then no board is published and none is
 * vouched for. Ends a load. */
void board_publisher_set_complete(struct board_publisher *publisher, bool is_complete);

/* A note (sink.h), or asks for those that are there. False when it will not be there. */
bool board_publisher_put_note(struct board_publisher *publisher, enum sink_what what,
                              const char *key, const struct buffer *bytes);

/* A status, at once: something that it says has changed. */
void board_publisher_publish_status(struct board_publisher *publisher);

void board_publisher_set_company(struct board_publisher *publisher, bool has_company);

/* The clock went back: as-of times start again, and boards when board_publisher_set_complete() says so. */
void board_publisher_rewind(struct board_publisher *publisher, int64_t now_us);

/* The generations of all boards as of now, as members of the status. */
void board_publisher_put_span(const struct board_publisher *publisher, struct buffer *out);

/* What the sinks know of their side, as members of the status. */
void board_publisher_put_sinks(const struct board_publisher *publisher, struct buffer *out);

void board_publisher_put_metrics(const struct board_publisher *publisher,
                                 const struct prometheus *to);

/* A line for each reason why boards do not come to where they should, or not all. */
void board_publisher_put_faults(const struct board_publisher *publisher, struct buffer *out);

/* And one for each that does not keep us from being ready. */
void board_publisher_put_remarks(const struct board_publisher *publisher, struct buffer *out);

/* And one for each sink that is not connected. */
void board_publisher_put_away(const struct board_publisher *publisher, struct buffer *out);

/* One short line about a rejected message; a few per second go out. */
void board_publisher_report_rejected(struct board_publisher *publisher, const char *topic,
                                     const char *reason, const char *detail);

/* As source.h asks: of the first sink that knows. */
enum broker_memory board_publisher_broker_memory(const struct board_publisher *publisher,
                                                 uint64_t since_ms);

/* How often another has taken our place at a sink. */
uint64_t board_publisher_takeovers(const struct board_publisher *publisher);

/* Certificates of the sinks are read again. */
void board_publisher_reload(struct board_publisher *publisher);

/* Publishes the last boards and a last status, closes the sinks, frees. */
void board_publisher_close(struct board_publisher *publisher,
                           void (*on_closed)(struct board_publisher *publisher));

#endif
