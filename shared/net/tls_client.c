/* Rejected: reading the reason out of the library's log (mosquitto_log_callback_set), which has
 * "certificate verify failed" for all that may be wrong with a certificate, and other words in each
 * version of OpenSSL. */
#include "shared/net/tls_client.h"

#include "shared/base/mem.h"
#include "shared/net/resolve.h"
#include "shared/net/tls_files.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_SIZE = 128, PATH_SIZE = 256, NO_ALERT = -1 };

struct tls_client {
    SSL_CTX *context;
    struct tls_client_names names;
    char *host;
    char *ca_file; /* NULL = the system's */
    bool has_cert;
    /* of the connection */
    bool has_begun;
    bool has_answered; /* the peer, with TLS */
    bool is_asked;     /* for a certificate of ours */
    int verify_error;  /* the first */
    int verify_depth;
    char subject[NAME_SIZE];
    int alert; /* that the peer sent */
};

/* ---- what is seen of a connection ----------------------------------------------------------- */

static struct tls_client *tls_of(const SSL *ssl)
{
    return SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
}

static int on_verify(int is_good, X509_STORE_CTX *store)
{
    const SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct tls_client *tls = tls_of(ssl);
    X509 *certificate = X509_STORE_CTX_get_current_cert(store);

    if (is_good || tls->verify_error != X509_V_OK)
        return is_good;
    tls->verify_error = X509_STORE_CTX_get_error(store);
    tls->verify_depth = X509_STORE_CTX_get_error_depth(store);
    if (certificate)
        X509_NAME_oneline(X509_get_subject_name(certificate), tls->subject,
                          (int)sizeof(tls->subject));
    return 0;
}

/* Which host is asked for, whatever a library that knows the address alone has said. */
static void on_tls_state(const SSL *ssl, int where, int value)
{
    const struct tls_client *tls = tls_of(ssl);
    const char *name = resolve_is_numeric(tls->host) ? NULL : tls->host;

    (void)value;
    if ((where & SSL_CB_HANDSHAKE_START) && SSL_set_tlsext_host_name((SSL *)ssl, name) != 1) {
        fprintf(stderr, "out of memory: no name to ask for with TLS\n");
        abort();
    }
}

/* Whole messages of the handshake, and alerts; the rest does not matter. */
static void on_tls_message(int is_ours, int version, int type, const void *bytes, size_t count,
                           SSL *ssl, void *user)
{
    struct tls_client *tls = user;
    const unsigned char *alert = bytes; /* its level, and which */

    (void)version;
    (void)ssl;
    if (is_ours)
        tls->has_begun = true;
    else if (type == SSL3_RT_HANDSHAKE || type == SSL3_RT_ALERT)
        tls->has_answered = true;
    if (!is_ours && type == SSL3_RT_ALERT && count >= 2 && alert[1] != SSL_AD_CLOSE_NOTIFY)
        tls->alert = alert[1];
}

static int on_asked(SSL *ssl, void *user)
{
    struct tls_client *tls = user;

    (void)ssl;
    tls->is_asked = true;
    return 1; /* with what there is */
}

void tls_client_begin(struct tls_client *tls)
{
    tls->has_begun = tls->has_answered = tls->is_asked = false;
    tls->verify_error = X509_V_OK;
    tls->subject[0] = '\0';
    tls->alert = NO_ALERT;
}

/* ---- words ---------------------------------------------------------------------------------- */

static void explain_certificate(const struct tls_client *tls, char *out, size_t bytes)
{
    const char *setting = tls->names.setting;
    char whose[PATH_SIZE];
    const char *trusted = tls->ca_file ? tls->ca_file : "this system";

    snprintf(whose, sizeof(whose),
             tls->verify_depth > 0 ? "the certificate of %s's authority" : "%s's certificate",
             tls->names.peer);
    switch (tls->verify_error) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        snprintf(out, bytes,
                 "%s (%s) is not for %s; %s_URL must have the host by a name that is in it", whose,
                 tls->subject, tls->host, setting);
        break;
    case X509_V_ERR_CERT_HAS_EXPIRED:
        snprintf(out, bytes, "%s (%s) has expired", whose, tls->subject);
        break;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        snprintf(out, bytes, "%s (%s) is not valid yet; is the clock of this machine right?", whose,
                 tls->subject);
        break;
    case X509_V_ERR_CERT_REVOKED:
        snprintf(out, bytes, "%s (%s) has been revoked", whose, tls->subject);
        break;
    case X509_V_ERR_UNABLE_TO_GET_CRL:
    case X509_V_ERR_CRL_HAS_EXPIRED:
    case X509_V_ERR_CRL_NOT_YET_VALID:
        snprintf(out, bytes,
                 "%s has revocation lists, but no current one of the authority of %s (%s)", trusted,
                 whose, tls->subject);
        break;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        snprintf(out, bytes,
                 "%s (%s) is of an authority that %s does not know; %s_CA_FILE must have that "
                 "authority's",
                 whose, tls->subject, trusted, setting);
        break;
    default:
        snprintf(out, bytes, "%s (%s) is refused: %s", whose, tls->subject,
                 X509_verify_cert_error_string(tls->verify_error));
    }
}

static void put_certificate_wanted(const struct tls_client *tls, const char *how, char *out,
                                   size_t bytes)
{
    const char *setting = tls->names.setting;

    snprintf(out, bytes, "%s wants a certificate of ours%s: %s_CERT_FILE and %s_KEY_FILE",
             tls->names.peer, how, setting, setting);
}

static void explain_alert(const struct tls_client *tls, char *out, size_t bytes)
{
    const char *text = SSL_alert_desc_string_long(tls->alert);
    const char *peer = tls->names.peer;
    const char *setting = tls->names.setting;
    char how[NAME_SIZE];

    if (tls->alert == SSL_AD_CERTIFICATE_REQUIRED ||
        (tls->alert == SSL_AD_HANDSHAKE_FAILURE && !tls->has_cert)) {
        snprintf(how, sizeof(how), " (%s)", text);
        put_certificate_wanted(tls, how, out, bytes);
        return;
    }
    switch (tls->alert) {
    case SSL_AD_UNKNOWN_CA:
        snprintf(out, bytes, "%s does not know the authority of %s_CERT_FILE", peer, setting);
        break;
    case SSL_AD_CERTIFICATE_EXPIRED:
        snprintf(out, bytes, "%s says that %s_CERT_FILE has expired", peer, setting);
        break;
    case SSL_AD_CERTIFICATE_REVOKED:
        snprintf(out, bytes, "%s says that %s_CERT_FILE has been revoked", peer, setting);
        break;
    case SSL_AD_PROTOCOL_VERSION:
        snprintf(out, bytes, "%s speaks no version of TLS that we do, 1.2 and 1.3", peer);
        break;
    case SSL_AD_BAD_CERTIFICATE:
    case SSL_AD_UNSUPPORTED_CERTIFICATE:
    case SSL_AD_CERTIFICATE_UNKNOWN:
        snprintf(out, bytes, "%s does not accept %s_CERT_FILE (%s)", peer, setting, text);
        break;
    default:
        snprintf(out, bytes, "%s ended TLS: %s", peer, text);
    }
}

/* An alert may be lost: a peer that ends a connection while we send may take back what it has sent. */
static void explain_end(const struct tls_client *tls, char *out, size_t bytes)
{
    if (tls->has_cert)
        snprintf(out, bytes, "%s ended TLS after it had seen %s_CERT_FILE, and may not accept it",
                 tls->names.peer, tls->names.setting);
    else
        put_certificate_wanted(tls, ", and ended TLS without", out, bytes);
}

bool tls_client_explain(const struct tls_client *tls, bool is_beginning, char *out,
                        size_t out_bytes)
{
    if (tls->verify_error != X509_V_OK)
        explain_certificate(tls, out, out_bytes);
    else if (tls->alert != NO_ALERT)
        explain_alert(tls, out, out_bytes);
    else if (is_beginning && tls->is_asked)
        explain_end(tls, out, out_bytes);
    else if (is_beginning && tls->has_begun && !tls->has_answered)
        snprintf(out, out_bytes,
                 "no TLS is spoken there; for a port without TLS the URL begins with %s://",
                 tls->names.plain_scheme);
    else
        return false;
    return true;
}

/* ---- the files ------------------------------------------------------------------------------ */

/* Whether revocation lists came with the authorities, so that they are to be asked. */
static bool has_revocations(X509_STORE *store)
{
    STACK_OF(X509_OBJECT) *objects = X509_STORE_get0_objects(store);

    for (int i = 0; i < sk_X509_OBJECT_num(objects); i++) {
        if (X509_OBJECT_get_type(sk_X509_OBJECT_value(objects, i)) == X509_LU_CRL)
            return true;
    }
    return false;
}

static bool reject_authorities(const struct tls_client *tls, char *error, size_t bytes)
{
    char setting[NAME_SIZE];

    snprintf(setting, sizeof(setting), "%s_CA_FILE", tls->names.setting);
    return tls_files_reject(setting, tls->ca_file, false, "no certificates in PEM", error, bytes);
}

static bool load_authorities(struct tls_client *tls, char *error, size_t bytes)
{
    X509_STORE *store = SSL_CTX_get_cert_store(tls->context);

    /* by their hashes when they are wanted; their bundle would be parsed for each of a fleet */
    if (!tls->ca_file)
        return SSL_CTX_set_default_verify_dir(tls->context) == 1;
    if (tls_files_flaw(tls->ca_file) ||
        SSL_CTX_load_verify_locations(tls->context, tls->ca_file, NULL) != 1)
        return reject_authorities(tls, error, bytes);
    if (has_revocations(store))
        X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK);
    return true;
}

static bool load_own(struct tls_client *tls, const struct tls_client_config *config, char *error,
                     size_t bytes)
{
    char cert_setting[NAME_SIZE];
    char key_setting[NAME_SIZE];
    const struct tls_files files = {cert_setting, key_setting, config->cert_file, config->key_file};

    snprintf(cert_setting, sizeof(cert_setting), "%s_CERT_FILE", tls->names.setting);
    snprintf(key_setting, sizeof(key_setting), "%s_KEY_FILE", tls->names.setting);
    if (!tls_files_go_together(&files, error, bytes))
        return false;
    tls->has_cert = config->cert_file != NULL;
    return !tls->has_cert || tls_files_load(tls->context, &files, error, bytes);
}

static void require_host(struct tls_client *tls)
{
    X509_VERIFY_PARAM *param = SSL_CTX_get0_param(tls->context);
    int is_set;

    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    is_set = resolve_is_numeric(tls->host) ? X509_VERIFY_PARAM_set1_ip_asc(param, tls->host)
                                           : X509_VERIFY_PARAM_set1_host(param, tls->host, 0);
    if (is_set != 1) {
        fprintf(stderr, "out of memory: no name to compare certificates with\n");
        abort(); /* any certificate would do */
    }
}

struct tls_client *tls_client_new(const struct tls_client_config *config, char *error,
                                  size_t error_bytes)
{
    struct tls_client *tls = mem_calloc(1, sizeof(*tls));
    bool is_good;

    tls->names = config->names;
    tls->host = mem_strdup(config->host);
    tls->ca_file = config->ca_file ? mem_strdup(config->ca_file) : NULL;
    tls->context = SSL_CTX_new(TLS_client_method());
    if (!tls->context) {
        fprintf(stderr, "out of memory: no TLS\n");
        abort();
    }
    tls_client_begin(tls);
    SSL_CTX_set_app_data(tls->context, tls);
    SSL_CTX_set_min_proto_version(tls->context, TLS1_2_VERSION);
    SSL_CTX_set_mode(tls->context, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_info_callback(tls->context, on_tls_state);
    SSL_CTX_set_msg_callback(tls->context, on_tls_message);
    SSL_CTX_set_msg_callback_arg(tls->context, tls);
    SSL_CTX_set_cert_cb(tls->context, on_asked, tls);
    SSL_CTX_set_verify(tls->context, SSL_VERIFY_PEER, on_verify);
    require_host(tls);
    snprintf(error, error_bytes, "TLS cannot be set up");
    is_good =
        load_authorities(tls, error, error_bytes) && load_own(tls, config, error, error_bytes);
    ERR_clear_error();
    if (is_good)
        return tls;
    tls_client_free(tls);
    return NULL;
}

void tls_client_free(struct tls_client *tls)
{
    if (!tls)
        return;
    SSL_CTX_free(tls->context);
    free(tls->host);
    free(tls->ca_file);
    free(tls);
}

void *tls_client_context(const struct tls_client *tls)
{
    return tls->context;
}

void *tls_client_new_connection(struct tls_client *tls)
{
    SSL *ssl = SSL_new(tls->context);

    if (!ssl) {
        fprintf(stderr, "out of memory: no TLS\n");
        abort();
    }
    SSL_set_connect_state(ssl);
    tls_client_begin(tls);
    return ssl;
}
