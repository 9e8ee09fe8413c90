/* tls_client.h: TLS to a server, and why it failed, in words that say what to correct.
 *
 * Why      libraries say "A TLS error occurred." and, in their log, what OpenSSL calls the place
 *          in its source. So the context is ours: its callbacks see which check failed of which
 *          certificate, which alert the peer sent, and whether it spoke TLS at all. That does not
 *          hang on the words of any version.
 * Errors   what is wrong with the files is reported by tls_client_new(), with the setting's name.
 * Trust    the peer's certificate must be signed by one of `ca_file` (or of the system's
 *          authorities) and be for `host`, which is also what it is asked for (SNI), whatever address
 *          was connected to. Revocation lists in that file are heeded.
 * Owner    tls_client_new() allocates, tls_client_free() takes NULL, too.
 */
#ifndef HIGHWATER_TLS_CLIENT_H
#define HIGHWATER_TLS_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

struct tls_client;

/* For the words; literals. */
struct tls_client_names {
    const char *setting; /* what its settings begin with: MQTT, of MQTT_URL and MQTT_CA_FILE */
    const char *peer;    /* "the broker" */
    const char *plain_scheme;
};

struct tls_client_config {
    struct tls_client_names names;
    const char *host;
    const char *ca_file; /* NULL = the system's */
    const char *cert_file;
    const char *key_file;
};

/* NULL when the files are of no use; `error` says which, and why. */
struct tls_client *tls_client_new(const struct tls_client_config *config, char *error,
                                  size_t error_bytes);
void tls_client_free(struct tls_client *tls);

/* The SSL_CTX. */
void *tls_client_context(const struct tls_client *tls);

/* For who speaks TLS without a library of his own: an SSL that is about to connect; to
 * be freed by SSL_free(). It begins a connection. */
void *tls_client_new_connection(struct tls_client *tls);

/* A connection begins: forgets what was seen of the one before. */
void tls_client_begin(struct tls_client *tls);

/* Why the connection that has just ended did so; false when it was not because of TLS.
 * `is_beginning`: the peer had not yet let us in. */
bool tls_client_explain(const struct tls_client *tls, bool is_beginning, char *out,
                        size_t out_bytes);

#endif
