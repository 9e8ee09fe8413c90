/* mqtt_terms.h: what the broker grants in its CONNACK, and what that means for us.
 *
 * Why      a broker may take less than it was asked for without refusing anything: a session that
 *          ends sooner, no QoS 1, no retained messages. What comes of it shows much later, as
 *          readings that are gone; so it is said when we connect, with what to set on that broker.
 * Shape    read from the properties of MQTT 5; a broker that says nothing grants all, and one that
 *          speaks 3.1.1 cannot say.
 * Source   MQTT 5.0 section 3.2.2.3.
 */
#ifndef HIGHWATER_MQTT_TERMS_H
#define HIGHWATER_MQTT_TERMS_H

#include <mosquitto.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mqtt_terms {
    uint32_t session_expiry_s; /* UINT32_MAX = never */
    uint32_t packet_bytes;     /* the largest that it takes; 0 = any */
    uint16_t keepalive_s;      /* instead of ours; 0 = ours */
    uint16_t window;           /* how many of our QoS 1 messages it takes unacknowledged */
    uint8_t maximum_qos;
    bool retains;
    bool has_wildcards; /* in subscriptions */
    bool shares;        /* subscriptions */
};

/* What a connection is for; bits. */
enum mqtt_needs {
    MQTT_NEEDS_SESSION = 1, /* what arrives while we are away is kept, for good */
    MQTT_NEEDS_QOS1 = 2,
    MQTT_NEEDS_RETAINED = 4
};

/* Those of a broker that says nothing. */
struct mqtt_terms mqtt_terms_default(void);
struct mqtt_terms mqtt_terms_read(const mosquitto_property *properties);

/* One line for each of the terms that hurts, in turn: writes the first whose number is not below
 * *next, and moves that on; false when there are no more. `is_fatal`: nothing can be promised. */
bool mqtt_terms_explain(const struct mqtt_terms *terms, unsigned needs, unsigned *next, char *out,
                        size_t out_bytes, bool *is_fatal);

/* Why this filter cannot be subscribed to; NULL when it can. Such a SUBSCRIBE would end the
 * connection. */
const char *mqtt_terms_forbid(const struct mqtt_terms *terms, const char *filter);

/* A refused CONNECT, SUBSCRIBE or PUBLISH in words. Codes of MQTT 3.1.1 are below 0x80, those of
 * version 5 are not. */
const char *mqtt_connack_text(int code);
const char *mqtt_reason_text(int code, bool is_v311);

#endif
