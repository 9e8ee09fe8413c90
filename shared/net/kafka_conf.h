/* kafka_conf.h: librdkafka's configuration: what we need, and what the user's file says.
 *
 * Shape    KAFKA_CONFIG names a file of librdkafka's own properties, one `name=value` a line, # begins a
 *          comment; that is how TLS and SASL are set. Properties that our promises rest on are ours:
 *          the file may not name them. Others have a default of ours, which it may change.
 * Errors   false, with a sentence that names file, line, property and what is legal; the value is
 *          shown unless it may be a secret.
 * Owner    whoever is given the rd_kafka_conf_t; rd_kafka_new() takes it over.
 */
#ifndef HIGHWATER_KAFKA_CONF_H
#define HIGHWATER_KAFKA_CONF_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stddef.h>

enum { KAFKA_CONF_ERROR_SIZE = 512 };

/* A property; the last of a table has no name. */
struct kafka_property {
    const char *name;
    const char *value; /* NULL: left alone, so with is_ours it is only refused */
    bool is_ours;
};

/* Sets what the table says, and then what the file says; "" or NULL = no file. Beside the table's own
 * those that every link sets are refused (kafka_link.h). */
bool kafka_conf_fill(rd_kafka_conf_t *conf, const struct kafka_property *table, const char *file,
                     char *error, size_t error_bytes);

#endif
