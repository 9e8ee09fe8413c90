/* http_output.h: how the answer of a connection is put together and handed to the kernel.
 *
 * Shape    begin, then send until all of it is gone; of a stream: send, pull, send ... Which of these
 *          is due is for http_connection.c to know; nothing here changes its state.
 * Errors   STEP_CLOSE: the client is gone, or the source wants an end.
 * Owner    the connection.
 */
#ifndef HIGHWATER_HTTP_OUTPUT_H
#define HIGHWATER_HTTP_OUTPUT_H

#include "shared/net/http_connection.h"

/* HEAD asks for what GET would answer, without the body. */
bool output_is_head(const struct server_request *request);

/* Of request.answer, what this client accepts. */
void output_begin_answer(struct server_connection *connection);

/* The head of a stream, with request.status. */
void output_begin_stream(struct server_connection *connection, const struct server_header *headers,
                         size_t header_count, bool is_gzip);

/* STEP_GO_ON: the kernel has all of it. STEP_WAIT: it takes no more for now. */
enum step output_send(struct server_connection *connection);

/* One helping from the source, to be sent next; its bytes are added to `pulled`. STEP_WAIT: there is
 * none yet. */
enum step output_pull(struct server_connection *connection, size_t *pulled);

#endif
