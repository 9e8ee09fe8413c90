#include "httpapi/check.h"

#include "httpapi/certificate.h"
#include "httpapi/settings.h"
#include "httpapi/tokens.h"
#include "shared/base/timestamp.h"
#include "shared/net/check_broker.h"
#include "shared/net/check_database.h"
#include "shared/net/check_listen.h"
#include "shared/net/tls_server.h"

#include <stdlib.h>

enum { TIMEOUT_MS = 10000 };

static void check_tokens(struct check *check, const struct settings *settings)
{
    bool is_open = false;
    char error[400];
    struct tokens *tokens = tokens_read(settings->token_file, &is_open, error, sizeof(error));

    if (!tokens)
        check_say(check, CHECK_ERROR, "tokens", "%s", error);
    else if (is_open)
        check_say(check, CHECK_WARNING, "tokens", "anybody may read %s: chmod o-r",
                  settings->token_file);
    else
        check_say(check, CHECK_OK, "tokens", "%zu in %s", tokens_count(tokens),
                  settings->token_file);
    tokens_free(tokens);
}

static const char *or_null(const char *text)
{
    return text[0] ? text : NULL;
}

static void check_expiry(struct check *check, const struct settings *settings,
                         const struct tls_server *tls)
{
    int64_t left_s = tls_server_not_after(tls) - timestamp_now() / 1000000;

    if (left_s <= 0)
        check_say(check, CHECK_ERROR, "certificate", "%s has expired", settings->tls_cert);
    else if (left_s < (int64_t)CERTIFICATE_WARNED_DAYS * 86400)
        check_say(check, CHECK_WARNING, "certificate", "%s expires in %lld days",
                  settings->tls_cert, (long long)(left_s / 86400));
    else
        check_say(check, CHECK_OK, "certificate", "%s and its key", settings->tls_cert);
}

static void check_certificate(struct check *check, const struct settings *settings)
{
    const struct tls_files files = {.cert_setting = "TLS_CERT",
                                    .key_setting = "TLS_KEY",
                                    .cert_file = or_null(settings->tls_cert),
                                    .key_file = or_null(settings->tls_key)};
    char error[400];
    struct tls_server *tls = tls_files_go_together(&files, error, sizeof(error))
                                 ? tls_server_new(&files, error, sizeof(error))
                                 : NULL;

    if (tls)
        check_expiry(check, settings, tls);
    else
        check_say(check, CHECK_ERROR, "certificate", "%s", error);
    tls_server_free(tls);
}

static void check_broker(struct check *check, const struct settings *settings)
{
    static const char *const filters[] = {"collectors/+/status", "collectors/+/boards/#"};
    const struct check_broker broker = {.mqtt = {.url = settings->mqtt_url,
                                                 .keepalive_s = 10,
                                                 .ca_file = or_null(settings->mqtt_ca),
                                                 .cert_file = or_null(settings->mqtt_cert),
                                                 .key_file = or_null(settings->mqtt_key),
                                                 .password_file = settings->mqtt_password_file,
                                                 .is_v311 = settings->is_v311},
                                        .filters = filters,
                                        .filter_count = sizeof(filters) / sizeof(filters[0]),
                                        .timeout_ms = TIMEOUT_MS};

    check_broker_run(check, &broker);
}

int check_run(const struct settings *settings)
{
    struct check check = {0};

    check_say(&check, CHECK_OK, "settings", "all are legal");
    check_listen_run(&check, &(struct check_listen){.setting = "HTTP_LISTEN",
                                                    .listen = settings->listen,
                                                    .hosts_setting = "HTTP_HOSTS",
                                                    .hosts = settings->hosts});
    if (settings->token_file[0])
        check_tokens(&check, settings);
    if (settings->tls_cert[0] || settings->tls_key[0])
        check_certificate(&check, settings);
    check_database_run(&check, &(struct check_database){.url = settings->database_url,
                                                        .application_name = "highwater check",
                                                        .timeout_ms = TIMEOUT_MS});
    check_broker(&check, settings);
    return check_end(&check);
}
