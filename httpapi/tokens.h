/* tokens.h: the bearer tokens that are let in, and to what.
 *
 * Shape    a file, a token a line, behind the groups of routes it opens:
 *              # the page in the control room
 *              page,read,events,metrics  9f2c6c1b0e7f4a8d...
 *          Lines that are empty or begin with # do not count.
 * Memory   of a token its SHA-256 is kept, and nothing else. To find one takes as long whichever it is, and
 *          whether it is there: all digests are compared, each to its end. They need no salt, since
 *          tokens are made at random and are no words.
 * Errors   a sentence with the number of the line. No word of the file is shown, since any may be a token
 *          that stands in the wrong place.
 * Owner    tokens_free() takes NULL, too.
 * Source   RFC 6750 section 2.1, for what a token is made of.
 */
#ifndef HIGHWATER_TOKENS_H
#define HIGHWATER_TOKENS_H

#include <stdbool.h>
#include <stddef.h>

enum { TOKEN_LEAST_BYTES = 16, TOKEN_MOST_BYTES = 512, TOKENS_MAX = 1000 };

/* Of routes. Each is a bit of what a token opens. */
enum token_group {
    TOKEN_OPEN = 0, /* no token is asked for */
    TOKEN_READ = 1,
    TOKEN_EVENTS = 2,
    TOKEN_METRICS = 4,
    TOKEN_PAGE = 8,
    TOKEN_REJECTED = 16, /* what devices sent by mistake may be secret */
    TOKEN_ALL = 31
};

struct tokens;

/* NULL, with the reason, when a line is wrong or there is no token at all. */
struct tokens *tokens_parse(const char *text, size_t bytes, char *error, size_t error_bytes);

/* `is_open`: anybody may read the file. */
struct tokens *tokens_read(const char *path, bool *is_open, char *error, size_t error_bytes);

void tokens_free(struct tokens *tokens);

size_t tokens_count(const struct tokens *tokens);

/* Whether both let in the same. */
bool tokens_are_equal(const struct tokens *a, const struct tokens *b);

/* The groups that this token opens; 0 = it is none of ours. */
unsigned tokens_find(const struct tokens *tokens, const char *token, size_t bytes);

/* "events" */
const char *token_group_name(enum token_group group);

/* Of what a token is made: letters, digits, - . _ ~ + /, and = at its end. */
bool token_is_well_formed(const char *token, size_t bytes);

#endif
