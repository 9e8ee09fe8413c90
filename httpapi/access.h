/* access.h: who may ask what: the token of a request, held against those of TOKEN_FILE.
 *
 * Shape    each route is of a group (tokens.h), and so are the page's files. Without a file nobody is asked
 *          for a token. With one, all but the probes, preflights and OPTIONS * need one; of a path where
 *          there is nothing that is said only to who has any.
 * Answers  401 with what is legal, Bearer and Basic; with which error (RFC 6750) if a token came; 403 when
 *          it is right and opens other groups; 400 for what is no token at all.
 * Reload   a file of no use changes nothing.
 * Owner    embedded; access_release().
 * Source   RFC 6750 section 3.
 */
#ifndef HIGHWATER_ACCESS_H
#define HIGHWATER_ACCESS_H

#include "httpapi/tokens.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct api;
struct server_request;

struct access {
    const char *file;      /* "" = none */
    struct tokens *tokens; /* NULL = everybody may ask everything */
    uint64_t wrong;        /* tokens that were none of ours */
    uint64_t logged_ms;    /* when the last of them was; 0 = never */
};

/* `file` is the caller's. */
bool access_init(struct access *access, const char *file, char *error, size_t error_bytes);
void access_release(struct access *access);

/* Reads the file again, and says so. True when what is let in has changed. */
bool access_reload(struct access *access);

static inline bool access_asks(const struct access *access)
{
    return access->tokens != NULL;
}

/* Whether the request may have what is of one of `groups`. If not, it is answered. */
bool access_admit(struct api *api, struct server_request *request, unsigned groups);

/* Whether it comes from somebody who has a token, if there are any. Answers nothing. */
bool access_knows(struct api *api, struct server_request *request);

#endif
