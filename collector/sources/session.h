/* session.h: did the broker keep our session, and what waited in it?
 *
 * Shape    readings wait at the broker in a session under our client id. Another client that connects
 *          with that id and a clean start throws it away, with what waited, and may even leave one
 *          of its own in its place. That cannot be prevented from here, but be noticed by two things
 *          together, when we connect again:
 *            session present = 0, though the database remembers that there was one; or
 *            the marker comes, a retained message on a topic of ours. It is subscribed to with
 *            "retained only if the subscription is new", so it comes when our subscription was not there.
 *          A broker that says why it ends a connection (MQTT 5, reason 142; Mosquitto 2.0.11 does not)
 *          has told already: then it does not matter what the next connection shows.
 *          A broker that was restarted without persistence has lost the session as well. It has then
 *          lost what it retained, too, which tells the two apart.
 * Limits   who takes the session and subscribes to the marker's topic is not noticed: this finds
 *          accidents, not an attacker who knows.
 * Source   MQTT 5.0 sections 3.1.2.4, 3.2.2.1.1, 3.8.3.1.
 */
#ifndef HIGHWATER_SESSION_H
#define HIGHWATER_SESSION_H

#include "collector/broker_memory.h"

#include <stdbool.h>
#include <stddef.h>

enum { SESSION_MARKER_TOPIC_SIZE = 128 };

/* Where the marker is: retained, published by the one who may publish (sinks/), read by the session. */
void session_marker_topic(char out[SESSION_MARKER_TOPIC_SIZE], const char *collector_id);

/* What one connection showed. */
struct session {
    bool is_remembered; /* there was one before, as the database or this process knows */
    bool is_present;    /* the broker says it has it */
    bool has_marker_come;
    bool was_taken; /* the broker has said that it gave the last connection's to another client */
};

/* True when messages that waited may be lost. */
bool session_is_lost(const struct session *session);

/* Writes what happened to a lost session, and what to do about it. */
void session_explain(char *out, size_t out_bytes, const struct session *session,
                     enum broker_memory memory, const char *client_id);

#endif
