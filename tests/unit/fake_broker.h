/* fake_broker.h: a broker for one client, in the test's own loop: it accepts every connection and
 * subscription, publishes when asked to, and notes what it gets.
 *
 * Errors   fail the test.
 * Owner    embedded; zeroed before fake_broker_start(); its memory may go when the loop has run to
 *          its end after fake_broker_close().
 * Source   MQTT 5.0, of which it knows as much as libmosquitto sends.
 */
#ifndef HIGHWATER_FAKE_BROKER_H
#define HIGHWATER_FAKE_BROKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

enum { FAKE_BROKER_PUBACKS_MAX = 64 };

struct fake_broker {
    uv_tcp_t server;
    uv_tcp_t *client; /* the latest */
    uint16_t pubacks[FAKE_BROKER_PUBACKS_MAX];
    size_t puback_count;
    unsigned connects;
    unsigned subscribes;
    unsigned unsubscribes;
    unsigned disconnects;
    unsigned ends;
    bool assigns;       /* client ids of its own */
    char client_id[32]; /* of the last CONNECT */
    unsigned char input[4096];
    size_t input_bytes;
};

/* Listens on the port that it returns. */
unsigned fake_broker_start(struct fake_broker *broker, uv_loop_t *loop);

/* Sends a packet as it is. */
void fake_broker_send(struct fake_broker *broker, const void *bytes, size_t count);

/* Publishes "hi" to the topic "t", with QoS 1. */
void fake_broker_publish(struct fake_broker *broker, uint16_t mid);

/* Cuts the connection without a word. */
void fake_broker_cut(struct fake_broker *broker);
void fake_broker_close(struct fake_broker *broker);

#endif
