/* mqtt_source.h: what the files of the MQTT source know of each other; nobody else includes it.
 *
 * Files    mqtt_source.c    the kind: the gated connection, and what it delivers
 *          mqtt_session.c   our session at the broker: its client id, what it is subscribed to, and
 *                           whether it was lost (session.h)
 *          mqtt_report.c    what is wrong with it, and its numbers
 */
#ifndef HIGHWATER_MQTT_SOURCE_H
#define HIGHWATER_MQTT_SOURCE_H

#include "collector/settings.h"
#include "collector/source.h"
#include "collector/sources/allowance.h"
#include "collector/sources/session.h"
#include "collector/sources/silence.h"
#include "shared/net/mqtt_link.h"

struct mqtt_source {
    struct source source;
    struct mqtt_link link;
    const struct mqtt_identity *identity; /* the store's; NULL = it has not said yet */
    char client_id[MQTT_IDENTITY_CLIENT_ID_SIZE];
    char marker_topic[SESSION_MARKER_TOPIC_SIZE];
    struct session session; /* as it was found when we connected last */
    bool had_session;       /* as the store says */
    bool is_subscribed;     /* to the readings, so that there is a session from now on */
    bool is_session_judged; /* whether it was lost has been told */
    uint64_t sessions_lost;
    uint64_t takeovers_judged;  /* of the link's */
    struct allowance allowance; /* how many messages the broker sends ahead */
    bool has_said_allowance;    /* of this connection */
    bool is_marked;             /* no message has come since the last mark */
    uint64_t messages;
    struct silence silence; /* of the broker */
    void (*on_closed)(void *user);
};

/* ---- mqtt_session.c */

void mqtt_session_identify(struct source *source, const struct mqtt_identity *identity,
                           bool had_session);

/* The link's on_up and on_subscribed. */
void mqtt_session_on_up(struct mqtt_link *link, bool session_present);
void mqtt_session_on_subscribed(struct mqtt_link *link, const char *filter, bool granted);

/* Notes it when the message is the marker, which is no reading. */
bool mqtt_session_is_marker(struct mqtt_source *m, const struct mqtt_delivery *delivery);

/* Logs, once for each connection, whether our session at the broker was lost, as soon as enough is
 * known: to be called now and then. */
void mqtt_session_judge(struct mqtt_source *m);

const char *mqtt_session_name(const struct source *source);

/* ---- mqtt_report.c */

void mqtt_report_watch_silence(struct mqtt_source *m);
void mqtt_report_put_faults(const struct source *source, struct buffer *out);
void mqtt_report_put_metrics(const struct source *source, const struct prometheus *to);

#endif
