/* redis_link.h: one connection to a Redis on the loop, kept up for as long as it is wanted.
 *
 * Shape    looks the name up off the loop, connects, says who it is, chooses the database, gives Redis
 *          the script; then it is up. Comes again with jittered backoff, to the next of the host's
 *          addresses.
 *              off -> waiting/resolving -> connecting -> greeting -> up -> waiting ...
 *          Answers come in the order of the commands; each has a tag of the caller's.
 * Bounds   at most `most_outstanding` commands without an answer; what is silent for REPLY_MS with one of
 *          them is given up, and what was sent is known to nobody.
 * Errors   told as `failure`, followed by another attempt, for ever.
 * Owner    redis_link_start() begins what redis_link_close() ends; on_closed says when its memory may go.
 */
#ifndef HIGHWATER_REDIS_LINK_H
#define HIGHWATER_REDIS_LINK_H

#include "collector/sinks/redis_command.h"
#include "collector/sinks/redis_error.h"
#include "collector/sinks/redis_url.h"
#include "collector/sinks/redis_wire.h"
#include "shared/base/backoff.h"

struct redis_link;
struct redisReader;
struct redisReply;

enum redis_link_state {
    REDIS_LINK_OFF,
    REDIS_LINK_WAITING, /* for the next attempt */
    REDIS_LINK_RESOLVING,
    REDIS_LINK_CONNECTING,
    REDIS_LINK_GREETING,
    REDIS_LINK_UP,
    REDIS_LINK_CLOSED
};

struct redis_link_config {
    const struct redis_url *url; /* all of these are kept by the caller */
    const char *host;            /* of the URL, or of another node of its cluster */
    int port;
    const char *ca_file;
    const char *cert_file;
    const char *key_file;
    const char *password_file; /* read at each connect; NULL = the URL's password */
    const char *client_name;
    size_t most_outstanding;
    void *user;
    void (*on_up)(struct redis_link *link); /* it has the script; said again when it had lost it */
    void (*on_down)(struct redis_link *link); /* only after on_up */
    void (*on_reply)(struct redis_link *link, uint32_t tag, const struct redisReply *reply);
};

struct redis_link {
    struct redis_link_config config;
    enum redis_link_state state;
    char failure[320]; /* of the last attempt; "" once it is up */
    char said[320];    /* the last that was logged, until it has been up for a while */
    char sha[REDIS_SHA_DIGITS + 1];
    uint64_t connects;
    uv_loop_t *loop;
    uv_timer_t timer; /* next attempt, or what must be answered by then */
    struct backoff backoff;
    struct redis_wire *wire;
    struct tls_client *tls;
    struct redisReader *reader;
    size_t unread;  /* bytes of an answer that is not complete */
    uint32_t *tags; /* a ring: of the commands without an answer */
    size_t first_tag;
    size_t outstanding;
    struct buffer out; /* commands that are held */
    struct redis_command greeting;
    uint64_t up_at_ms;
    uint64_t attempt; /* counts them */
    unsigned lookups; /* of names, which may outlive the attempt */
    uint64_t tries;   /* which of the host's addresses is next */
    char address[64];
    bool has_said_up; /* and nothing that ended since was logged */
    bool has_heard;   /* on this connection */
    bool is_holding;
    bool is_loading; /* the script, again */
    bool wants_up;
    bool is_closing;
    bool has_said_open; /* that anybody may read the password file */
    void (*on_closed)(struct redis_link *link);
};

/* False when the files for TLS are of no use; it is then not started and must not be closed. */
bool redis_link_start(struct redis_link *link, uv_loop_t *loop,
                      const struct redis_link_config *config, char *error, size_t error_bytes);

void redis_link_join(struct redis_link *link);
void redis_link_leave(struct redis_link *link);

/* Certificates and password are read again, and it connects again with them. */
void redis_link_reload(struct redis_link *link);

/* A command as redis_command_format() makes them, copied. False when it is not up, or too many are
 * without an answer. */
bool redis_link_send(struct redis_link *link, uint32_t tag, const char *command, size_t bytes);

/* Between the two, commands are collected. */
void redis_link_hold(struct redis_link *link);
void redis_link_flush(struct redis_link *link);

/* It has answered NOSCRIPT. */
void redis_link_load_script(struct redis_link *link);

/* Ends the connection, which is of no use, and goes on with another. */
void redis_link_go_down(struct redis_link *link, const char *reason);

/* What was sent is answered first, if that takes no longer than a moment. */
void redis_link_close(struct redis_link *link, void (*on_closed)(struct redis_link *link));

static inline bool redis_link_is_up(const struct redis_link *link)
{
    return link->state == REDIS_LINK_UP;
}

#endif
