#include "collector/sources/session.h"

#include <stdio.h>

#define MAY_BE_LOST "messages that waited in it may be lost"
#define OWN_ID "give every client an id of its own, and let the broker see to it"
#define PERSIST "set persistence true and a short autosave_interval in mosquitto.conf"

void session_marker_topic(char out[SESSION_MARKER_TOPIC_SIZE], const char *collector_id)
{
    snprintf(out, SESSION_MARKER_TOPIC_SIZE, "collectors/%s/marker", collector_id);
}

bool session_is_lost(const struct session *session)
{
    return session->is_remembered &&
           (session->was_taken || !session->is_present || session->has_marker_come);
}

void session_explain(char *out, size_t out_bytes, const struct session *session,
                     enum broker_memory memory, const char *client_id)
{
    if (session->was_taken)
        snprintf(out, out_bytes,
                 "another client has connected as %s, and the broker has given it our session: "
                 "what it has received, or thrown away with a clean start, may be lost; " OWN_ID,
                 client_id);
    else if (session->is_present)
        snprintf(out, out_bytes,
                 "another client has connected as %s and put a session of its own in the place of "
                 "ours; " MAY_BE_LOST "; " OWN_ID,
                 client_id);
    else if (memory == BROKER_KEPT)
        snprintf(out, out_bytes,
                 "the broker has thrown our session away, and nothing else: another client has "
                 "connected as %s with a clean start, or the session has expired; " MAY_BE_LOST
                 "; " OWN_ID,
                 client_id);
    else if (memory == BROKER_FORGOT)
        snprintf(out, out_bytes,
                 "the broker has forgotten our session and all that it had retained: it was "
                 "restarted without persistence, or this is another broker; " MAY_BE_LOST
                 "; " PERSIST);
    else
        snprintf(out, out_bytes,
                 "the broker has no session of ours any more: it was restarted without persistence "
                 "(" PERSIST "), or another client has connected as %s with a clean start (" OWN_ID
                 "); " MAY_BE_LOST,
                 client_id);
}
