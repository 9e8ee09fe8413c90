/* kafka_url.h: where a Kafka is, and which topic of it.
 *
 * Shape    kafka://host[:port][,host[:port]...]/topic[?name=value[&name=value...]]; the port is 9092
 *          unless it is said; an IPv6 address stands in brackets. Which names there are is for the
 *          one who asks.
 * Errors   kafka_url_parse() is false when the text is none of these; KAFKA_URL_LEGAL says what is. It
 *          has no place for a password, which belongs into the file of KAFKA_CONFIG; a text that looks
 *          as if it had one (an @) is not legal.
 * Owner    embedded; zeroed is empty; kafka_url_release() frees the texts.
 */
#ifndef HIGHWATER_KAFKA_URL_H
#define HIGHWATER_KAFKA_URL_H

#include <stdbool.h>
#include <stddef.h>

#define KAFKA_URL_LEGAL                                                                            \
    "kafka://host[:port][,host[:port]...]/topic, the topic of 1 to 240 letters, digits, . _ and -" \
    " (users and passwords go into the file of KAFKA_CONFIG)"

enum { KAFKA_URL_PARAMS_MAX = 8, KAFKA_TOPIC_MAX = 240 }; /* a suffix fits into the 249 of Kafka */

struct kafka_url_param {
    const char *name;
    const char *value;
};

struct kafka_url {
    char *brokers; /* host:port,host:port, as librdkafka wants it */
    char *topic;
    struct kafka_url_param params[KAFKA_URL_PARAMS_MAX];
    size_t param_count;
    char *text; /* the params point into it */
};

/* Must be released in either case. */
bool kafka_url_parse(struct kafka_url *url, const char *text);
void kafka_url_release(struct kafka_url *url);

/* NULL when it has none of that name. */
const char *kafka_url_param(const struct kafka_url *url, const char *name);

#endif
