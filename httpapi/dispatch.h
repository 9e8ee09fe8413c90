/* dispatch.h: from a request to the handler of its route, and what is noted when it is done.
 *
 * Errors   whatever no route is made for is answered here, with a problem.
 */
#ifndef HIGHWATER_DISPATCH_H
#define HIGHWATER_DISPATCH_H

#include "shared/net/http_server.h"

/* The server's callbacks; `user` is the struct api. */
void dispatch_on_request(void *user, struct server_request *request);
void dispatch_on_done(void *user, struct server_request *request);
void dispatch_on_tls_failed(void *user, const char *address, const char *reason);

#endif
