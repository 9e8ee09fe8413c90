/* redis_sink.h: what the files of the Redis sink know of each other; nobody else includes it.
 *
 * Shape    a command of each board, and of the status, is on its way at most, and the next one waits:
 *          the newest, which replaces the one that waited. Nothing else is queued.
 *          A board that Redis has refused, or has no more, or whose expiry has run down by a third, is
 *          lacking (sink_lacks()): it is put again, and what is there and the same is renewed.
 * Cluster  each node that a key has MOVED to has a link; REDIS_URL's is the first. A place goes to its
 *          node, or, when that is away, to any that is up, which says where it is now.
 * Files    redis_sink.c         the kind: places, and what is put
 *          redis_sink_reply.c   what Redis answers
 *          redis_sink_report.c  what is wrong with it, and its numbers
 *          redis_link.h         a connection; redis_command.h: keys, and the script
 */
#ifndef HIGHWATER_REDIS_SINK_H
#define HIGHWATER_REDIS_SINK_H

#include "collector/settings.h"
#include "collector/sink.h"
#include "collector/sinks/redis_command.h"
#include "collector/sinks/redis_link.h"

enum { REDIS_NODES_MAX = 64, REDIS_HOST_SIZE = 256 };

/* A status goes out each second. Of a collector that has crashed it is gone after this. */
enum { REDIS_STATUS_EXPIRY_MS = 10000 };

/* So often in the time of its expiry a board that stays the same is renewed. */
enum { REDIS_RENEWALS = 3 };

struct redis_node {
    struct redis_link link;
    struct redis_sink *sink;
    char host[REDIS_HOST_SIZE];
};

/* Of the status, or a board. */
struct redis_place {
    char *waiting; /* a command of redis_command_format(); NULL = none */
    size_t waiting_bytes;
    struct redis_node *sent_to; /* and not answered; NULL = nothing is on its way */
    struct redis_node *node;    /* that the cluster keeps it at; NULL = not known */
    uint64_t renew_at_ms;       /* of the loop's clock */
    bool is_lacking;
    bool is_put; /* once, on these connections */
};

struct redis_sink {
    struct sink sink;
    struct redis_url url;
    struct redis_node *nodes[REDIS_NODES_MAX];
    size_t node_count;
    struct redis_place *places; /* of the boards, then of the status */
    struct redis_command command;
    char client_name[96];
    int64_t status_generation;
    size_t lines_outstanding;
    bool is_joined;
    char refusal[320]; /* why it has not taken the last that it has not taken; "" = it takes all */
    uint64_t stored;   /* boards and statuses */
    uint64_t renewed;
    uint64_t older;
    uint64_t refused;
    uint64_t replaced;
    size_t open_nodes;
    void (*on_closed)(void *user);
};

enum { REDIS_LINES_MOST = 10 };

static inline size_t redis_sink_status_place(const struct redis_sink *r)
{
    return r->sink.config.board_count;
}

/* Those of the places, then that of all lines. */
static inline uint32_t redis_sink_line_tag(const struct redis_sink *r)
{
    return (uint32_t)redis_sink_status_place(r) + 1;
}

static inline int64_t redis_sink_expiry_ms(const struct redis_sink *r)
{
    return r->sink.config.settings->redis_expiry_us / 1000;
}

/* ---- redis_sink.c */

/* The one for this place, that is up; NULL when none is. */
struct redis_node *redis_sink_node_of(const struct redis_sink *r, const struct redis_place *place);

/* The cluster's node there, whose link is made and joined if there is none; NULL, with the reason, when it
 * cannot be. */
struct redis_node *redis_sink_find_node(struct redis_sink *r, const char *host, int port,
                                        char *error, size_t error_bytes);

void redis_sink_drop_waiting(struct redis_place *place);

/* What waits there is sent, unless something is on its way. */
void redis_sink_send(struct redis_sink *r, struct redis_place *place);

/* ---- redis_sink_reply.c */
void redis_sink_on_up(struct redis_link *link);
void redis_sink_on_down(struct redis_link *link);
void redis_sink_on_reply(struct redis_link *link, uint32_t tag, const struct redisReply *reply);

/* ---- redis_sink_report.c */

/* Of boards and status, how many Redis lacks or has refused. */
size_t redis_sink_lacking(const struct redis_sink *r);

void redis_sink_put_remarks(const struct sink *sink, struct buffer *out);
void redis_sink_put_metrics(const struct sink *sink, const struct prometheus *to);

#endif
