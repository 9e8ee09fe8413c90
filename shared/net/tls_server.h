/* tls_server.h: TLS for those who come to us: certificate, key, and what is offered.
 *
 * Shape    TLS 1.2 and 1.3, of 1.2 only what has forward secrecy; HTTP/1.1 by ALPN; no renegotiation. A
 *          session is kept by its client, in a ticket, and not here.
 * Reload   tls_server_reload() reads the files again. Who comes from then on is met with what they hold;
 *          connections that there are go on with what they began with.
 * Errors   a sentence that begins with the setting's name; then nothing has changed.
 * Owner    tls_server_new() allocates, tls_server_free() takes NULL, too. The texts are the caller's. What
 *          tls_server_connection() gives is to be freed by SSL_free(), and may outlive all of this.
 * Source   RFC 8446, 7301, 9325.
 */
#ifndef HIGHWATER_TLS_SERVER_H
#define HIGHWATER_TLS_SERVER_H

#include "shared/net/tls_files.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tls_server;

struct tls_server *tls_server_new(const struct tls_files *files, char *error, size_t error_bytes);
void tls_server_free(struct tls_server *tls);

/* `now_s`, since 1970: a certificate that has expired is not put in the place of one that has not. */
bool tls_server_reload(struct tls_server *tls, int64_t now_s, char *error, size_t error_bytes);

/* An SSL for a socket that was accepted. */
void *tls_server_connection(struct tls_server *tls, int fd);

/* When the first certificate of our chain expires, in seconds since 1970. */
int64_t tls_server_not_after(const struct tls_server *tls);

#endif
