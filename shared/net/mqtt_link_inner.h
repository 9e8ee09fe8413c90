/* mqtt_link_inner.h: what the files of mqtt_link share and nobody else needs.
 *
 * Files    mqtt_link.c (states, the end, the interface), mqtt_link_connect.c (an attempt),
 *          mqtt_link_io.c (reading, writing and the gate), mqtt_link_events.c (what the library
 *          calls), mqtt_link_talk.c (what a connection is used for).
 */
#ifndef HIGHWATER_MQTT_LINK_INNER_H
#define HIGHWATER_MQTT_LINK_INNER_H

#include "shared/net/mqtt_link.h"

#include <mosquitto.h>

/* mqtt_link.c */
void mqtt_link_set_state(struct mqtt_link *link, enum mqtt_link_state state);

/* The socket is gone, or about to be. Also called from inside the library, so it only notes and
 * schedules. */
void mqtt_link_go_down(struct mqtt_link *link, const char *reason);

/* The same, when the library's `rc` is all there is to tell why. */
void mqtt_link_go_down_by(struct mqtt_link *link, int rc);

/* Drops the connection without a word. */
void mqtt_link_abandon(struct mqtt_link *link, const char *reason);

/* The same of an error that the library has not met. */
void mqtt_link_abandon_by(struct mqtt_link *link, int rc);

/* After this time, by the state: the next attempt, or the end of one, or of leaving. */
void mqtt_link_start_timer(struct mqtt_link *link, uint64_t after_ms);

/* No memory ends the process, as in mem.h. */
void mqtt_link_require_memory(int rc);

/* mqtt_link_connect.c */
void mqtt_link_new_instance(struct mqtt_link *link);

/* Begins to connect, to the next address of the host. */
void mqtt_link_attempt(struct mqtt_link *link);

/* By the keepalive that holds on this connection. */
void mqtt_link_heed_keepalive(struct mqtt_link *link);

/* Before the CONNACK the library has few words for what may be wrong: ours, or NULL. */
const char *mqtt_link_connect_error(const struct mqtt_link *link, int rc);

/* mqtt_link_talk.c */
/* Asks for those subscriptions that are due. */
void mqtt_link_ask(struct mqtt_link *link);
void mqtt_link_say_refusal(struct mqtt_link *link, struct mqtt_subscription *one);
unsigned mqtt_link_needs(const struct mqtt_link *link);

/* mqtt_link_io.c */
bool mqtt_link_is_connected(const struct mqtt_link *link);
void mqtt_link_write(struct mqtt_link *link);
void mqtt_link_on_events(void *user, int events);

/* The last line after any call into the library. */
void mqtt_link_rearm(struct mqtt_link *link);

/* mqtt_link_events.c */
void mqtt_link_listen(struct mqtt_link *link);

#endif
