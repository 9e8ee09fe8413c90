/* http_answer.h: answers as they go over the wire, made once for any number of requests.
 *
 * Shape    a body in one or two forms, as it is and as gzip, each with its head. The second is made when
 *          the first client comes that asks for it, and kept.
 * Owner    http_server.h has the functions that make and release them; here is what a connection
 *          needs to send one.
 */
#ifndef HIGHWATER_HTTP_ANSWER_H
#define HIGHWATER_HTTP_ANSWER_H

#include "shared/base/buffer.h"
#include "shared/net/http_server.h"

#include <stdbool.h>
#include <stddef.h>

enum { ANSWER_ETAG_SIZE = 24, ANSWER_GZIP_MIN_BYTES = 1024 };

struct answer_form {
    struct buffer head; /* from the status line on, without Date, Connection and the empty line */
    struct buffer not_modified; /* the same for 304 */
    const unsigned char *body;
    size_t bytes;
    char etag[ANSWER_ETAG_SIZE]; /* "" = none */
};

struct server_answer {
    unsigned holds;
    int status;
    bool has_etag;
    bool may_compress;
    bool has_gzip;        /* or it was tried, and is no smaller */
    struct buffer common; /* header lines that 304 has too */
    struct buffer content;
    struct answer_form plain;
    struct answer_form gzip;
    unsigned char *plain_memory; /* NULL when the bytes live as long as the program */
    struct buffer gzip_memory;
};

/* What of an answer is sent. */
struct answer_choice {
    int status;
    const struct buffer *head;
    const unsigned char *body;
    size_t bytes;
};

/* The values of the client's headers, each may be NULL. */
struct answer_choice server_answer_choose(struct server_answer *answer, const char *accept_encoding,
                                          const char *if_none_match);

/* The head of a stream, whose length is not known. */
void server_stream_head(struct buffer *out, int status, const struct server_header *headers,
                        size_t header_count, bool is_gzip);

/* Whether a list of entity tags has this one, compared weakly. */
bool http_etag_listed(const char *list, const char *etag);

#endif
