#include "shared/net/mqtt_terms.h"

#include <mqtt_protocol.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Below it a commit that takes its time costs the connection: PINGREQ waits behind the gate. */
enum { KEEPALIVE_LEAST_S = 10, CONNACK_V3_CODES = 6 };

#define SEE "; docs/BROKERS.md has the setting of each broker"
#define SPEAKS_V311 "it does not speak MQTT 5; set MQTT_VERSION=3.1.1"

struct mqtt_terms mqtt_terms_default(void)
{
    return (struct mqtt_terms){.session_expiry_s = UINT32_MAX,
                               .window = UINT16_MAX,
                               .maximum_qos = 2,
                               .retains = true,
                               .has_wildcards = true,
                               .shares = true};
}

static void read_switch(const mosquitto_property *properties, int identifier, bool *out)
{
    uint8_t value;

    if (mosquitto_property_read_byte(properties, identifier, &value, false))
        *out = value != 0;
}

struct mqtt_terms mqtt_terms_read(const mosquitto_property *properties)
{
    struct mqtt_terms terms = mqtt_terms_default();

    mosquitto_property_read_int32(properties, MQTT_PROP_SESSION_EXPIRY_INTERVAL,
                                  &terms.session_expiry_s, false);
    mosquitto_property_read_int32(properties, MQTT_PROP_MAXIMUM_PACKET_SIZE, &terms.packet_bytes,
                                  false);
    mosquitto_property_read_int16(properties, MQTT_PROP_SERVER_KEEP_ALIVE, &terms.keepalive_s,
                                  false);
    mosquitto_property_read_int16(properties, MQTT_PROP_RECEIVE_MAXIMUM, &terms.window, false);
    mosquitto_property_read_byte(properties, MQTT_PROP_MAXIMUM_QOS, &terms.maximum_qos, false);
    read_switch(properties, MQTT_PROP_RETAIN_AVAILABLE, &terms.retains);
    read_switch(properties, MQTT_PROP_WILDCARD_SUB_AVAILABLE, &terms.has_wildcards);
    read_switch(properties, MQTT_PROP_SHARED_SUB_AVAILABLE, &terms.shares);
    return terms;
}

/* ---- lines ---------------------------------------------------------------------------------- */

static bool explain_session(const struct mqtt_terms *terms, unsigned needs, char *out, size_t bytes)
{
    if (!(needs & MQTT_NEEDS_SESSION) || terms->session_expiry_s == UINT32_MAX)
        return false;
    if (terms->session_expiry_s == 0)
        snprintf(out, bytes,
                 "the broker keeps no session: what is published while the collector is away is "
                 "lost; allow sessions that do not expire" SEE);
    else
        snprintf(out, bytes,
                 "the broker forgets our session, and all that waits in it, when the collector is "
                 "away for %" PRIu32 " s; allow sessions that do not expire" SEE,
                 terms->session_expiry_s);
    return true;
}

static bool explain_qos(const struct mqtt_terms *terms, unsigned needs, char *out, size_t bytes)
{
    if (!(needs & MQTT_NEEDS_QOS1) || terms->maximum_qos > 0)
        return false;
    snprintf(out, bytes,
             "the broker takes and delivers QoS 0 only, where nothing is acknowledged and nothing "
             "can be promised; allow QoS 1" SEE);
    return true;
}

static bool explain_retain(const struct mqtt_terms *terms, unsigned needs, char *out, size_t bytes)
{
    if (!(needs & MQTT_NEEDS_RETAINED) || terms->retains)
        return false;
    snprintf(out, bytes,
             "the broker retains nothing: who subscribes to the boards sees none before it "
             "changes, and httpapi asks the database; allow retained messages" SEE);
    return true;
}

static bool explain_keepalive(const struct mqtt_terms *terms, unsigned needs, char *out,
                              size_t bytes)
{
    if (!(needs & MQTT_NEEDS_SESSION) || terms->keepalive_s == 0 ||
        terms->keepalive_s >= KEEPALIVE_LEAST_S)
        return false;
    snprintf(out, bytes,
             "the broker ends a connection that is silent for 1.5 x %u s, which a commit that "
             "takes its time may be; allow a keepalive of a minute" SEE,
             terms->keepalive_s);
    return true;
}

bool mqtt_terms_explain(const struct mqtt_terms *terms, unsigned needs, unsigned *next, char *out,
                        size_t out_bytes, bool *is_fatal)
{
    static bool (*const lines[])(const struct mqtt_terms *, unsigned, char *, size_t) = {
        explain_session, explain_qos, explain_retain, explain_keepalive};

    while (*next < sizeof(lines) / sizeof(lines[0])) {
        unsigned at = (*next)++;

        if (!lines[at](terms, needs, out, out_bytes))
            continue;
        *is_fatal = lines[at] == explain_qos ||
                    (lines[at] == explain_session && terms->session_expiry_s == 0);
        return true;
    }
    return false;
}

const char *mqtt_terms_forbid(const struct mqtt_terms *terms, const char *filter)
{
    if (!terms->shares && strncmp(filter, "$share/", 7) == 0)
        return "it has no shared subscriptions";
    if (!terms->has_wildcards && filter[strcspn(filter, "+#")])
        return "it has no wildcards in subscriptions";
    return NULL;
}

/* ---- words ---------------------------------------------------------------------------------- */

const char *mqtt_connack_text(int code)
{
    static const char *const v3[CONNACK_V3_CODES] = {
        "it accepts the connection",
        SPEAKS_V311,
        "it refuses our client id; another COLLECTOR_ID may do",
        "it says that it is unavailable",
        "it refuses user name and password",
        "it does not allow us in (not authorized)"};

    if (code == MQTT_RC_UNSUPPORTED_PROTOCOL_VERSION)
        return SPEAKS_V311;
    if (code >= 0 && code < CONNACK_V3_CODES)
        return v3[code];
    return mosquitto_reason_string(code);
}

const char *mqtt_reason_text(int code, bool is_v311)
{
    if (is_v311 || code == MQTT_RC_UNSPECIFIED)
        return "it gives no reason";
    return mosquitto_reason_string(code);
}
