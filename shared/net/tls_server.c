/* Buffers: a record of 16 kB is all that TLS holds of what is to be sent, and only while the kernel takes
 * no more (partial writes); what is read is not read ahead. Both are given back when they are empty,
 * since most clients are idle most of the time.
 *
 * Rejected: OpenSSL's cache of sessions, which grows with whoever comes, where a ticket costs us nothing;
 * and its automatic retry, by which one call goes on for as long as a client sends records without
 * data, while nobody else is served. */
#include "shared/net/tls_server.h"

#include "shared/base/mem.h"

#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of TLS 1.2; those of 1.3 are all good. */
#define CIPHERS_12 "ECDHE+AESGCM:ECDHE+CHACHA20"

struct tls_server {
    struct tls_files files;
    SSL_CTX *context;
    int64_t not_after_s;
};

/* ---- what is offered ------------------------------------------------------------------------ */

/* Who offers protocols, and not ours, would talk past us: he is told (RFC 7301, 3.2). */
static int on_protocols(SSL *ssl, const unsigned char **out, unsigned char *out_bytes,
                        const unsigned char *offered, unsigned offered_bytes, void *user)
{
    static const unsigned char ours[] = "\x08http/1.1\x08http/1.0";
    unsigned char *chosen;

    (void)ssl;
    (void)user;
    if (SSL_select_next_proto(&chosen, out_bytes, ours, sizeof(ours) - 1, offered, offered_bytes) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static SSL_CTX *new_context(void)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());

    if (!context || SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_cipher_list(context, CIPHERS_12) != 1) {
        fprintf(stderr, "out of memory: no TLS\n");
        abort();
    }
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_clear_mode(context, SSL_MODE_AUTO_RETRY);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_alpn_select_cb(context, on_protocols, NULL);
    return context;
}

/* ---- for how long --------------------------------------------------------------------------- */

static int64_t seconds_of(const ASN1_TIME *time)
{
    ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
    int days = 0;
    int seconds = 0;

    if (!epoch || ASN1_TIME_diff(&days, &seconds, epoch, time) != 1)
        days = seconds = 0; /* what cannot be read has expired long ago */
    ASN1_TIME_free(epoch);
    return (int64_t)days * 86400 + seconds;
}

static int64_t expiry_of(SSL_CTX *context)
{
    STACK_OF(X509) *chain = NULL;
    int64_t first_s = seconds_of(X509_get0_notAfter(SSL_CTX_get0_certificate(context)));

    SSL_CTX_get0_chain_certs(context, &chain);
    for (int i = 0; i < sk_X509_num(chain); i++) {
        int64_t not_after_s = seconds_of(X509_get0_notAfter(sk_X509_value(chain, i)));

        first_s = not_after_s < first_s ? not_after_s : first_s;
    }
    return first_s;
}

int64_t tls_server_not_after(const struct tls_server *tls)
{
    return tls->not_after_s;
}

/* ---- beginning, again, and end -------------------------------------------------------------- */

static SSL_CTX *load(const struct tls_files *files, char *error, size_t error_bytes)
{
    SSL_CTX *context = new_context();

    if (tls_files_load(context, files, error, error_bytes))
        return context;
    SSL_CTX_free(context);
    return NULL;
}

struct tls_server *tls_server_new(const struct tls_files *files, char *error, size_t error_bytes)
{
    SSL_CTX *context = load(files, error, error_bytes);
    struct tls_server *tls;

    if (!context)
        return NULL;
    tls = mem_calloc(1, sizeof(*tls));
    tls->files = *files;
    tls->context = context;
    tls->not_after_s = expiry_of(context);
    return tls;
}

bool tls_server_reload(struct tls_server *tls, int64_t now_s, char *error, size_t error_bytes)
{
    SSL_CTX *context = load(&tls->files, error, error_bytes);
    int64_t not_after_s = context ? expiry_of(context) : 0;

    if (!context)
        return false;
    if (not_after_s <= now_s && tls->not_after_s > now_s) {
        snprintf(error, error_bytes, "%s: %s: it has expired, and the one in use has not",
                 tls->files.cert_setting, tls->files.cert_file);
        SSL_CTX_free(context);
        return false;
    }
    SSL_CTX_free(tls->context); /* by now that of its connections alone */
    tls->context = context;
    tls->not_after_s = not_after_s;
    return true;
}

void tls_server_free(struct tls_server *tls)
{
    if (!tls)
        return;
    SSL_CTX_free(tls->context);
    free(tls);
}

void *tls_server_connection(struct tls_server *tls, int fd)
{
    SSL *ssl = SSL_new(tls->context);

    if (!ssl || SSL_set_fd(ssl, fd) != 1) {
        fprintf(stderr, "out of memory: no TLS\n");
        abort();
    }
    SSL_set_accept_state(ssl);
    return ssl;
}
