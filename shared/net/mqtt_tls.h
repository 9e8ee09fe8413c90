/* mqtt_tls.h: TLS to a broker, and why it failed, in words that say what to correct.
 *
 * Why      libmosquitto says "A TLS error occurred." and, in its log, what OpenSSL calls the place
 *          in its source. So the context is ours: its callbacks see which check failed of which
 *          certificate, which alert the broker sent, and whether it spoke TLS at all. That does not
 *          hang on the words of any version.
 * Errors   what is wrong with the files is reported by mqtt_tls_new(), with the setting's name.
 * Trust    the broker's certificate must be signed by one of `ca_file` (or of the system's
 *          authorities) and be for `host`. Revocation lists in that file are heeded.
 * Owner    mqtt_tls_new() allocates, mqtt_tls_free() takes NULL, too.
 */
#ifndef HIGHWATER_MQTT_TLS_H
#define HIGHWATER_MQTT_TLS_H

#include <stdbool.h>
#include <stddef.h>

struct mqtt_tls;

struct mqtt_tls_files {
    const char *ca_file; /* NULL = the system's */
    const char *cert_file;
    const char *key_file;
};

/* NULL when the files are of no use; `error` says which, and why. */
struct mqtt_tls *mqtt_tls_new(const struct mqtt_tls_files *files, const char *host, char *error,
                              size_t error_bytes);
void mqtt_tls_free(struct mqtt_tls *tls);

/* The SSL_CTX. */
void *mqtt_tls_context(const struct mqtt_tls *tls);

/* A connection begins: forgets what was seen of the one before. */
void mqtt_tls_begin(struct mqtt_tls *tls);

/* Why the connection that has just ended did so; false when it was not because of TLS.
 * `is_beginning`: the broker had not yet let us in. */
bool mqtt_tls_explain(const struct mqtt_tls *tls, bool is_beginning, char *out, size_t out_bytes);

#endif
