#include "httpapi/certificate.h"

#include "shared/base/log.h"
#include "shared/base/timestamp.h"

#include <sys/stat.h>

enum { DAY_S = 86400, ERROR_SIZE = 640 };

static int64_t now_s(void)
{
    return timestamp_now() / 1000000;
}

static void warn_of_expiry(const struct certificate *certificate)
{
    int64_t not_after_s = tls_server_not_after(certificate->tls);
    int64_t left_s = not_after_s - now_s();
    char when[TIMESTAMP_TEXT_SIZE];

    timestamp_format(when, not_after_s * 1000000);
    if (left_s <= 0)
        log_error("TLS: %s has expired, at %s: clients will refuse it",
                  certificate->files.cert_file, when);
    else if (left_s < (int64_t)CERTIFICATE_WARNED_DAYS * DAY_S)
        log_warning("TLS: %s expires at %s, in %lld days; SIGHUP reads a new one",
                    certificate->files.cert_file, when, (long long)(left_s / DAY_S));
}

static void warn_of_readers(const struct certificate *certificate)
{
    const char *key_file = certificate->files.key_file;
    struct stat status;

    if (key_file && stat(key_file, &status) == 0 && (status.st_mode & S_IROTH))
        log_warning("TLS_KEY: %s: anybody on this machine may read it; chmod o-r", key_file);
}

static void on_day(uv_timer_t *timer)
{
    warn_of_expiry(timer->data);
}

bool certificate_start(struct certificate *certificate, uv_loop_t *loop, const char *cert_file,
                       const char *key_file, char *error, size_t error_bytes)
{
    *certificate =
        (struct certificate){.files = {"TLS_CERT", "TLS_KEY", cert_file[0] ? cert_file : NULL,
                                       key_file[0] ? key_file : NULL}};
    if (!tls_files_go_together(&certificate->files, error, error_bytes))
        return false;
    if (!certificate->files.cert_file)
        return true;
    certificate->tls = tls_server_new(&certificate->files, error, error_bytes);
    if (!certificate->tls)
        return false;
    warn_of_readers(certificate);
    warn_of_expiry(certificate);
    uv_timer_init(loop, &certificate->daily);
    certificate->daily.data = certificate;
    uv_timer_start(&certificate->daily, on_day, (uint64_t)DAY_S * 1000, (uint64_t)DAY_S * 1000);
    return true;
}

void certificate_close(struct certificate *certificate)
{
    if (certificate->tls)
        uv_close((uv_handle_t *)&certificate->daily, NULL);
}

void certificate_release(struct certificate *certificate)
{
    tls_server_free(certificate->tls);
    certificate->tls = NULL;
}

void certificate_reload(struct certificate *certificate)
{
    char error[ERROR_SIZE];

    if (!certificate->tls)
        return;
    if (!tls_server_reload(certificate->tls, now_s(), error, sizeof(error))) {
        log_error("TLS: SIGHUP: it goes on with the certificate it has: %s", error);
        return;
    }
    log_info("TLS: SIGHUP: the certificate was read anew; connections that there are go on");
    warn_of_readers(certificate);
    warn_of_expiry(certificate);
}
