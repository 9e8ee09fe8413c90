/* mqtt_farewell.h: the end of a connection that was left with a DISCONNECT.
 *
 * Why      libmosquitto closes the socket as soon as DISCONNECT is written. If something from the
 *          broker has come by then that nobody read, the system resets the connection instead of
 *          ending it; a broker that meets the reset before it has read the DISCONNECT takes us for
 *          lost, and publishes the last will over the last status.
 * Shape    a second descriptor of the socket, made before the library closes its own. Ours says
 *          that nothing follows, reads until the broker ends the connection, and is closed then, or
 *          after FAREWELL_MS.
 * Owner    mqtt_farewell_start() takes the descriptor; the memory goes by itself. The loop stays
 *          alive until then.
 */
#ifndef HIGHWATER_MQTT_FAREWELL_H
#define HIGHWATER_MQTT_FAREWELL_H

#include <uv.h>

/* -1 when there is none to be had. */
int mqtt_farewell_descriptor(int fd);

void mqtt_farewell_start(uv_loop_t *loop, int fd);

#endif
