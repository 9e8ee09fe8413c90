/* redis_link_inner.h: what the files of the link know of each other; nobody else includes it.
 *
 * Files    redis_link.c          states, commands and answers, the interface
 *          redis_link_connect.c  an attempt, up to the script
 *          redis_wire.c          the bytes, TLS
 */
#ifndef HIGHWATER_REDIS_LINK_INNER_H
#define HIGHWATER_REDIS_LINK_INNER_H

#include "collector/sinks/redis_link.h"

/* Tags of the link's own commands. */
enum redis_link_tag {
    REDIS_TAG_AUTH,
    REDIS_TAG_SELECT,
    REDIS_TAG_NAME,
    REDIS_TAG_SCRIPT,
    REDIS_TAG_COUNT
};

#define REDIS_TAG_FIRST_OURS (UINT32_MAX - REDIS_TAG_COUNT)

/* ---- redis_link.c */
extern const struct redis_wire_events redis_link_wire_events;

void redis_link_set_state(struct redis_link *link, enum redis_link_state state);
void redis_link_start_timer(struct redis_link *link, uint64_t after_ms);
void redis_link_finish_close(struct redis_link *link);

/* As redis_link_send(), in any state. */
bool redis_link_queue(struct redis_link *link, uint32_t tag, const char *command, size_t bytes);

/* ---- redis_link_connect.c */
void redis_link_attempt(struct redis_link *link);

/* The wire's on_open. */
void redis_link_greet(void *user);
void redis_link_queue_script(struct redis_link *link);

/* An answer to one of our own commands. */
void redis_link_greeted(struct redis_link *link, uint32_t tag, const struct redisReply *reply);

/* An answer to none, as where it takes no more clients. */
void redis_link_explain_unasked(struct redis_link *link, const struct redisReply *reply);

#endif
