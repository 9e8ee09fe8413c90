/* mqtt_url.h: where a broker is, and as whom to come there.
 *
 * Shape    mqtt://[user:password@]host[:port], mqtts://..., or unix:///path; user and password may
 *          be percent-encoded, an IPv6 address stands in brackets.
 * Errors   mqtt_url_parse() is false when the text is none of these; MQTT_URL_LEGAL says what is.
 * Owner    embedded; zeroed is empty; mqtt_url_release() frees the texts.
 */
#ifndef HIGHWATER_MQTT_URL_H
#define HIGHWATER_MQTT_URL_H

#include <stdbool.h>

#define MQTT_URL_LEGAL "mqtt://[user:password@]host[:port], mqtts://..., or unix:///path"

struct mqtt_url {
    char *host; /* or the path of a socket, when port is 0 */
    char *username;
    char *password;
    int port;
    bool use_tls;
};

/* Must be released in either case. */
bool mqtt_url_parse(struct mqtt_url *url, const char *text);
void mqtt_url_release(struct mqtt_url *url);

#endif
