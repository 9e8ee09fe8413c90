/* The states of a connection, its commands and their answers, and the interface. Each attempt is in
 * redis_link_connect.c. */
#include "collector/sinks/redis_link_inner.h"

#include "shared/base/log.h"
#include "shared/base/mem.h"
#include "shared/base/timestamp.h"

#include <hiredis.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BACKOFF_LEAST_MS = 100, BACKOFF_MOST_MS = 5000 };
enum { REPLY_MS = 5000, LEAVE_MS = 2000, STEADY_MS = 10000 };

/* Our commands are answered by a number or a word. */
enum { ANSWER_MOST_BYTES = 65536, OUT_KEPT_BYTES = 1 << 20 };

static const char *const state_names[] = {"off",      "waiting", "resolving", "connecting",
                                          "greeting", "up",      "closed"};

void redis_link_set_state(struct redis_link *link, enum redis_link_state state)
{
    if (state == link->state)
        return;
    log_debug("redis: %s: %s -> %s", link->config.host, state_names[link->state],
              state_names[state]);
    link->state = state;
}

/* ---- the end of a connection ------------------------------------------------------------------ */

static void on_timer_closed(uv_handle_t *handle)
{
    struct redis_link *link = handle->data;

    tls_client_free(link->tls);
    free(link->tags);
    buffer_release(&link->out);
    redis_command_release(&link->greeting);
    link->on_closed(link);
}

void redis_link_finish_close(struct redis_link *link)
{
    if (link->state == REDIS_LINK_CLOSED || link->lookups > 0)
        return; /* the last of them goes on here */
    redis_link_set_state(link, REDIS_LINK_CLOSED);
    uv_close((uv_handle_t *)&link->timer, on_timer_closed);
}

static void drop_wire(struct redis_link *link)
{
    redis_wire_close(link->wire);
    link->wire = NULL;
    if (link->reader)
        redisReaderFree(link->reader);
    link->reader = NULL;
    link->outstanding = link->first_tag = link->unread = 0;
    link->is_loading = link->has_heard = link->is_holding = false;
    buffer_clear(&link->out);
    uv_timer_stop(&link->timer);
}

static void on_timer(uv_timer_t *timer);

void redis_link_start_timer(struct redis_link *link, uint64_t after_ms)
{
    uv_timer_start(&link->timer, on_timer, after_ms, 0);
}

/* One that comes up and ends again and again says so once, and waits longer from time to time. */
static void note_end(struct redis_link *link, const char *reason, bool was_up)
{
    uint64_t lasted_ms = uv_now(link->loop) - link->up_at_ms;

    if (was_up)
        backoff_lasted(&link->backoff, lasted_ms);
    else
        link->tries++;
    if (was_up && lasted_ms >= STEADY_MS)
        link->said[0] = '\0';
    if (!link->wants_up)
        return;
    if (strcmp(reason, link->said) != 0) {
        log_warning("redis: %s: %s; trying again", link->config.host, reason);
        link->has_said_up = false;
    }
    snprintf(link->said, sizeof(link->said), "%s", reason);
    snprintf(link->failure, sizeof(link->failure), "%s", reason);
}

void redis_link_go_down(struct redis_link *link, const char *reason)
{
    bool was_up = link->state == REDIS_LINK_UP;

    if (link->state < REDIS_LINK_RESOLVING || link->state == REDIS_LINK_CLOSED)
        return;
    drop_wire(link);
    note_end(link, reason, was_up);
    if (link->wants_up) {
        redis_link_set_state(link, REDIS_LINK_WAITING);
        redis_link_start_timer(link, backoff_next_ms(&link->backoff));
    } else {
        redis_link_set_state(link, REDIS_LINK_OFF);
    }
    if (was_up)
        link->config.on_down(link);
    if (link->is_closing && link->state == REDIS_LINK_OFF)
        redis_link_finish_close(link);
}

static void time_out(struct redis_link *link)
{
    char reason[sizeof(link->failure)] = "no connection in time";

    if (link->wire)
        redis_wire_explain(link->wire, reason, sizeof(reason));
    redis_link_go_down(link, reason);
}

static void on_timer(uv_timer_t *timer)
{
    struct redis_link *link = timer->data;

    switch (link->state) {
    case REDIS_LINK_WAITING:
        redis_link_attempt(link);
        break;
    case REDIS_LINK_RESOLVING:
    case REDIS_LINK_CONNECTING:
        time_out(link);
        break;
    case REDIS_LINK_GREETING:
    case REDIS_LINK_UP:
        redis_link_go_down(link, "no answer in time");
        break;
    case REDIS_LINK_OFF:
    case REDIS_LINK_CLOSED:
        break;
    }
}

/* ---- commands --------------------------------------------------------------------------------- */

static void flush_out(struct redis_link *link)
{
    struct buffer out = link->out;

    if (out.bytes == 0 || !link->wire)
        return;
    link->out = (struct buffer){0}; /* a write that fails ends the connection, and clears it */
    redis_wire_write(link->wire, out.data, out.bytes);
    if (out.capacity > OUT_KEPT_BYTES || link->out.data) {
        buffer_release(&out);
    } else {
        buffer_clear(&out);
        link->out = out;
    }
}

bool redis_link_queue(struct redis_link *link, uint32_t tag, const char *command, size_t bytes)
{
    size_t most = link->config.most_outstanding;

    if (link->outstanding >= most)
        return false;
    link->tags[(link->first_tag + link->outstanding++) % most] = tag;
    if (link->outstanding == 1)
        redis_link_start_timer(link, REPLY_MS);
    buffer_put(&link->out, command, bytes);
    if (!link->is_holding)
        flush_out(link);
    return true;
}

bool redis_link_send(struct redis_link *link, uint32_t tag, const char *command, size_t bytes)
{
    return link->state == REDIS_LINK_UP && redis_link_queue(link, tag, command, bytes);
}

void redis_link_hold(struct redis_link *link)
{
    link->is_holding = true;
}

void redis_link_flush(struct redis_link *link)
{
    link->is_holding = false;
    flush_out(link);
}

void redis_link_load_script(struct redis_link *link)
{
    if (link->is_loading)
        return;
    link->is_loading = true;
    redis_link_queue_script(link);
}

/* ---- answers ---------------------------------------------------------------------------------- */

static void take_reply(struct redis_link *link, const redisReply *reply)
{
    uint32_t tag;

    if (link->outstanding == 0) {
        redis_link_explain_unasked(link, reply);
        return;
    }
    tag = link->tags[link->first_tag];
    link->first_tag = (link->first_tag + 1) % link->config.most_outstanding;
    if (--link->outstanding > 0)
        redis_link_start_timer(link, link->is_closing ? LEAVE_MS : REPLY_MS);
    else
        uv_timer_stop(&link->timer);
    if (tag >= REDIS_TAG_FIRST_OURS)
        redis_link_greeted(link, tag, reply);
    else
        link->config.on_reply(link, tag, reply);
}

static void on_bytes(void *user, const char *data, size_t bytes)
{
    struct redis_link *link = user;
    struct redis_wire *wire = link->wire;
    void *reply = NULL;

    link->has_heard = true;
    link->unread += bytes;
    if (redisReaderFeed(link->reader, data, bytes) != REDIS_OK) {
        redis_link_go_down(link, "its answer cannot be read");
        return;
    }
    while (link->wire == wire && redisReaderGetReply(link->reader, &reply) == REDIS_OK && reply) {
        link->unread = 0;
        take_reply(link, reply);
        freeReplyObject(reply);
        reply = NULL;
    }
    if (link->wire != wire)
        return;
    if (link->reader->err || link->unread > ANSWER_MOST_BYTES)
        redis_link_go_down(link, "what it answers is not Redis's protocol; is REDIS_URL right?");
    else if (link->is_closing && link->outstanding == 0)
        redis_link_leave(link);
}

static void on_end(void *user, const char *reason)
{
    struct redis_link *link = user;

    if (link->state == REDIS_LINK_GREETING && !link->has_heard && !link->tls)
        redis_link_go_down(link, "it ended the connection before it answered; if it speaks TLS "
                                 "there, REDIS_URL must begin with rediss://");
    else
        redis_link_go_down(link, reason);
}

const struct redis_wire_events redis_link_wire_events = {
    .on_open = redis_link_greet, .on_bytes = on_bytes, .on_end = on_end};

/* ---- the interface ---------------------------------------------------------------------------- */

static struct tls_client *new_tls(const struct redis_link *link, char *error, size_t error_bytes)
{
    const struct tls_client_config config = {
        .names = {.setting = "REDIS", .peer = "Redis", .plain_scheme = "redis"},
        .host = link->config.host,
        .ca_file = link->config.ca_file,
        .cert_file = link->config.cert_file,
        .key_file = link->config.key_file};

    return tls_client_new(&config, error, error_bytes);
}

bool redis_link_start(struct redis_link *link, uv_loop_t *loop,
                      const struct redis_link_config *config, char *error, size_t error_bytes)
{
    *link = (struct redis_link){.config = *config, .loop = loop};
    if (config->url->use_tls) {
        link->tls = new_tls(link, error, error_bytes);
        if (!link->tls)
            return false;
    }
    link->tags = mem_calloc(config->most_outstanding, sizeof(link->tags[0]));
    backoff_init(&link->backoff, BACKOFF_LEAST_MS, BACKOFF_MOST_MS,
                 (uint64_t)timestamp_now() ^ (uint64_t)(uintptr_t)link);
    uv_timer_init(loop, &link->timer);
    link->timer.data = link;
    return true;
}

void redis_link_join(struct redis_link *link)
{
    if (link->wants_up || link->is_closing)
        return;
    link->wants_up = true;
    if (link->state == REDIS_LINK_OFF) {
        redis_link_set_state(link, REDIS_LINK_WAITING);
        redis_link_start_timer(link, 0);
    }
}

void redis_link_leave(struct redis_link *link)
{
    link->wants_up = false;
    link->failure[0] = '\0';
    if (link->state == REDIS_LINK_WAITING) {
        uv_timer_stop(&link->timer);
        redis_link_set_state(link, REDIS_LINK_OFF);
    }
    if (link->state != REDIS_LINK_OFF)
        redis_link_go_down(link, "left on purpose");
    else if (link->is_closing)
        redis_link_finish_close(link);
}

/* `tls` replaces what the connection has, whose use ends with it. */
static void connect_again(struct redis_link *link, struct tls_client *tls)
{
    bool wants_up = link->wants_up;

    redis_link_leave(link);
    tls_client_free(link->tls);
    link->tls = tls;
    if (wants_up)
        redis_link_join(link);
}

void redis_link_reload(struct redis_link *link)
{
    bool has_tls = link->config.url->use_tls;
    bool has_file = link->config.password_file != NULL;
    struct tls_client *tls = NULL;
    char error[256];

    if (link->is_closing)
        return;
    if (has_tls)
        tls = new_tls(link, error, sizeof(error));
    if (!has_tls && !has_file)
        log_info(
            "redis: SIGHUP: without TLS and REDIS_PASSWORD_FILE there is nothing to read anew");
    else if (has_tls && !tls)
        log_error("redis: SIGHUP: it goes on with the certificates it has: %s", error);
    else
        log_info("redis: SIGHUP: %s%s%s read anew; it connects again",
                 has_tls ? "certificates" : "", has_tls && has_file ? " and " : "",
                 has_file ? "password" : "");
    if ((!has_tls && has_file) || tls)
        connect_again(link, tls);
}

void redis_link_close(struct redis_link *link, void (*on_closed)(struct redis_link *link))
{
    link->on_closed = on_closed;
    link->is_closing = true;
    if (link->state == REDIS_LINK_UP && link->outstanding > 0) {
        link->wants_up = false;
        redis_link_start_timer(link, LEAVE_MS);
    } else {
        redis_link_leave(link);
    }
}
