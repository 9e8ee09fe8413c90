/* boards.h: publishes the boards when they change, and says how this collector is.
 *
 * Shape    owns the ordinary (ungated) MQTT connection. Each board goes out retained, on the topic of
 *          board.h, when it changes: at once when the last one is a while ago, at most every
 *          `throttle` otherwise, and at the moment an entry expires, for which there is a timer.
 *          A status goes out retained every second; its `asOf` says up to which moment the boards
 *          are current, so that an unchanged board is known to be fresh and a hung collector is
 *          noticed. The last will replaces it with "lost".
 * Source   status fields: docs/ARCHITECTURE.md.
 */
#ifndef HIGHWATER_BOARDS_H
#define HIGHWATER_BOARDS_H

#include "collector/windows.h"
#include "shared/board.h"
#include "shared/features.h"
#include "shared/mqtt_link.h"

/* What is asked of the broker about itself. */
#define BOARDS_BROKER_DROPPED "$SYS/broker/publish/messages/dropped"
#define BOARDS_BROKER_VERSION "$SYS/broker/version"

struct boards;

struct boards_config {
    struct mqtt_link_config mqtt; /* url and so on; client id, will and callbacks are filled in */
    const char *collector_id;
    const struct features *features;
    const struct intervals *intervals;
    struct windows *windows;
    size_t top_n;
    uint64_t throttle_ms;
    void *user;
    /* Appends the members of the status, `"state":"live",...` without braces. */
    void (*put_status)(void *user, struct buffer *out, int64_t now_us);
    void (*on_broker_says)(void *user, const char *topic, const char *text); /* a $SYS value */
};

/* What was last published of one board. */
struct board_copy {
    bool is_published;
    size_t count;
    uint32_t *devices;
    unsigned char *readings;
};

struct boards {
    struct boards_config config;
    struct mqtt_link mqtt;
    struct board_copy *copies; /* per ranking, per interval */
    struct windows_entry *entries;
    struct board_entry *named;
    struct buffer topic;
    struct buffer payload;
    char status_topic[128];
    char will_payload[160];
    char client_id[96];
    uv_timer_t publish; /* after a change, or at the next expiry */
    uv_timer_t status;
    uint64_t published_at_ms;
    uint64_t rejected_lines; /* published in this second */
    bool is_complete;        /* false: warming; boards are not published */
    uint64_t boards_published;
    unsigned open_parts;
    void (*on_closed)(struct boards *boards);
};

bool boards_start(struct boards *boards, uv_loop_t *loop, const struct boards_config *config,
                  char *error, size_t error_bytes);

/* Of several collectors with one id only the one whose turn it is speaks; at first none does. */
void boards_set_turn(struct boards *boards, bool is_ours);

/* The windows have taken new readings. */
void boards_changed(struct boards *boards);

/* Whether the windows hold all that they should; until then no board is published. */
void boards_set_complete(struct boards *boards, bool is_complete);

/* One short line about a rejected message; a few per second go out. */
void boards_tell_rejected(struct boards *boards, const char *topic, const char *reason,
                          const char *detail);

/* Publishes a last status, disconnects, frees. */
void boards_close(struct boards *boards, void (*on_closed)(struct boards *boards));

#endif
