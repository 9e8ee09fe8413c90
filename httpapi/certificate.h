/* certificate.h: the certificate that httpapi shows to its clients, and when it ends.
 *
 * Shape    TLS_CERT and TLS_KEY, read again on request. That it is about to expire is said at the start,
 *          whenever it is read, and once a day.
 * Errors   files of no use are a sentence at the start, and change nothing afterwards.
 * Owner    embedded; certificate_close() stops its timer, certificate_release() comes after the server
 *          has stopped.
 */
#ifndef HIGHWATER_CERTIFICATE_H
#define HIGHWATER_CERTIFICATE_H

#include "shared/net/tls_server.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

enum { CERTIFICATE_WARNED_DAYS = 14 };

struct certificate {
    struct tls_files files;
    struct tls_server *tls; /* NULL = plain HTTP */
    uv_timer_t daily;
};

/* The two files are the caller's; "" = neither is given. */
bool certificate_start(struct certificate *certificate, uv_loop_t *loop, const char *cert_file,
                       const char *key_file, char *error, size_t error_bytes);
void certificate_close(struct certificate *certificate);
void certificate_release(struct certificate *certificate);

/* Reads the files again, and says so. */
void certificate_reload(struct certificate *certificate);

#endif
