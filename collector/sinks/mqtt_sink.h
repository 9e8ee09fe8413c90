/* mqtt_sink.h: what the files of the MQTT sink know of each other; nobody else includes it.
 *
 * Shape    an ordinary (ungated) connection; what is put is retained under its key as the topic. The
 *          last will replaces the status with "lost".
 * Looks    before it speaks, whether another installation does so under this collector's id (rival.h);
 *          then it says nothing, and the last will is left out of its connection.
 * Tidies   what is retained of a board that is no longer kept, because of a feature or interval that
 *          was taken off, is cleared.
 * Files    mqtt_sink.c          the kind: the connection, and what is put
 *          mqtt_sink_place.c    whose our topics are, and what the broker retained there
 *          mqtt_sink_rights.c   what the broker lets us publish
 *          mqtt_sink_report.c   what is wrong with it, and its numbers
 */
#ifndef HIGHWATER_MQTT_SINK_H
#define HIGHWATER_MQTT_SINK_H

#include "collector/settings.h"
#include "collector/sink.h"
#include "collector/sinks/broker_report.h"
#include "collector/sinks/permit.h"
#include "collector/sinks/rival.h"
#include "collector/sources/session.h"
#include "shared/net/mqtt_link.h"

enum { MQTT_SINK_TOPIC_SIZE = 128 };

/* Of the status, or a board. */
struct mqtt_place {
    char *topic; /* that was used last; NULL = none was */
    bool is_retained;
    struct permit permit; /* to publish it */
};

struct mqtt_sink {
    struct sink sink;
    struct mqtt_link link;
    struct mqtt_place status;
    struct mqtt_place *boards; /* config.board_count of them */
    struct permit notes;       /* of one at a time of those that are on their way */
    bool has_said_denied;
    bool has_said_refused;     /* that the broker takes no message of this size */
    bool has_spoken;           /* on this connection */
    bool has_seen_marker;      /* the one that was retained before we came */
    uint64_t messages_refused; /* by the broker, for their size */
    char suspect[160];         /* what was being published when the broker ended the connection */
    unsigned suspected;        /* so often in a row */
    uint64_t cleared_lines;    /* logged in this second */
    enum broker_memory memory;
    uint64_t memory_at_ms; /* when that was known */
    char status_topic[MQTT_SINK_TOPIC_SIZE];
    char boards_topic[MQTT_SINK_TOPIC_SIZE]; /* what they all begin with */
    char notes_topic[MQTT_SINK_TOPIC_SIZE];  /* and notes; "" = none were recalled */
    char marker_topic[SESSION_MARKER_TOPIC_SIZE];
    char will_payload[192];
    char client_id[MQTT_IDENTITY_CLIENT_ID_SIZE];
    struct rival rival;
    char rival_reason[400]; /* that was said last; "" = there is none */
    struct broker_report broker;
    bool has_asked_what_is_kept; /* on this connection */
    void (*on_closed)(void *user);
};

/* The topics are ours. */
static inline bool mqtt_sink_may_speak(const struct mqtt_sink *m)
{
    return m->link.state == MQTT_LINK_UP && rival_may_speak(&m->rival);
}

/* ---- mqtt_sink_place.c */
void mqtt_sink_on_up(struct mqtt_link *link, bool session_present);
void mqtt_sink_on_message(struct mqtt_link *link, const struct mqtt_delivery *delivery);

/* Each second: whether another installation publishes under our id. */
void mqtt_sink_watch_rival(struct mqtt_sink *m);

/* That the broker had forgotten everything when this connection came up was before one that ended since,
 * if this one came up earlier. */
enum broker_memory mqtt_sink_memory(const struct sink *sink, uint64_t since_ms);

/* ---- mqtt_sink_rights.c: permit.h; what is denied is dropped without a word, or ends the
 * connection. It is not vouched for, is named by mqtt_sink_put_denied(), and is published again
 * every second until it is allowed. */

/* The link's on_published. */
void mqtt_sink_on_published(struct mqtt_link *link, int mid, int reason_code);

/* The connection has ended: perhaps because of what was on its way. */
void mqtt_sink_note_suspect(struct mqtt_sink *m);

void mqtt_sink_put_denied(const struct mqtt_sink *m, struct buffer *out);

/* ---- mqtt_sink_report.c */
void mqtt_sink_put_away(const struct sink *sink, struct buffer *out);
void mqtt_sink_put_faults(const struct sink *sink, struct buffer *out);
void mqtt_sink_put_metrics(const struct sink *sink, const struct prometheus *to);
void mqtt_sink_put_status(const struct sink *sink, struct buffer *out);

#endif
