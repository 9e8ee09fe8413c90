/* An attempt: the password, the address, the connection, and what is said before it is up. */
#include "collector/sinks/redis_link_inner.h"

#include "shared/base/log.h"
#include "shared/base/mem.h"
#include "shared/base/secret.h"
#include "shared/net/resolve.h"

#include <hiredis.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONNECT_TIMEOUT_MS = 5000 };

#if HIREDIS_MAJOR >= 1
typedef size_t element_count;
#else
typedef int element_count;
#endif

/* No command of ours is answered by a list. Who claims to send one of two thousand million elements
 * would have us make and free as many. */
static void *refuse_list(const redisReadTask *task, element_count count)
{
    (void)task;
    (void)count;
    return NULL;
}

static redisReader *new_reader(void)
{
    static redisReplyObjectFunctions functions;
    redisReader *reader = redisReaderCreate();

    if (!reader) {
        fprintf(stderr, "out of memory: no reader of Redis's answers\n");
        abort();
    }
    functions = *reader->fn;
    functions.createArray = refuse_list;
    reader->fn = &functions;
    return reader;
}

/* ---- where ------------------------------------------------------------------------------------ */

static void connect_to(struct redis_link *link, const char *address)
{
    const struct redis_wire_place place = {
        .address = address, .port = link->config.port, .tls = link->tls};
    int error;

    redis_link_set_state(link, REDIS_LINK_CONNECTING);
    redis_link_start_timer(link, CONNECT_TIMEOUT_MS);
    link->reader = new_reader();
    link->wire = redis_wire_open(link->loop, &place, &redis_link_wire_events, link, &error);
    if (!link->wire)
        redis_link_go_down(link, uv_strerror(error));
}

struct lookup {
    uv_getaddrinfo_t request;
    struct redis_link *link;
    uint64_t attempt;
};

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *found)
{
    struct lookup *lookup = request->data;
    struct redis_link *link = lookup->link;
    bool is_wanted = link->state == REDIS_LINK_RESOLVING && lookup->attempt == link->attempt;

    free(lookup);
    link->lookups--;
    if (is_wanted && status < 0)
        redis_link_go_down(link, uv_strerror(status));
    else if (is_wanted && !resolve_pick(found, link->tries, link->address, sizeof(link->address)))
        redis_link_go_down(link, "the name has no address");
    else if (is_wanted)
        connect_to(link, link->address);
    else if (link->is_closing)
        redis_link_finish_close(link);
    uv_freeaddrinfo(found);
}

static void look_up(struct redis_link *link)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct lookup *lookup = mem_calloc(1, sizeof(*lookup));
    int error;

    lookup->link = link;
    lookup->attempt = link->attempt;
    lookup->request.data = lookup;
    redis_link_start_timer(link, CONNECT_TIMEOUT_MS);
    error =
        uv_getaddrinfo(link->loop, &lookup->request, on_resolved, link->config.host, NULL, &hints);
    if (error == 0) {
        link->lookups++;
        return;
    }
    free(lookup);
    redis_link_go_down(link, uv_strerror(error));
}

/* One lookup at a time: they share a few threads with those of the database and the broker, which a name
 * service that does not answer must not take up. */
void redis_link_attempt(struct redis_link *link)
{
    link->attempt++;
    redis_link_set_state(link, REDIS_LINK_RESOLVING);
    if (link->config.port == 0 || resolve_is_numeric(link->config.host))
        connect_to(link, link->config.host);
    else if (link->lookups > 0)
        redis_link_go_down(link, "its name is still being looked up");
    else
        look_up(link);
}

/* ---- as whom ---------------------------------------------------------------------------------- */

static void queue_greeting(struct redis_link *link, enum redis_link_tag tag)
{
    size_t bytes;
    char *command = redis_command_format(&link->greeting, &bytes);

    redis_link_queue(link, REDIS_TAG_FIRST_OURS + (uint32_t)tag, command, bytes);
    redisFreeCommand(command);
}

void redis_link_queue_script(struct redis_link *link)
{
    redis_command_begin(&link->greeting, "SCRIPT");
    redis_command_add_text(&link->greeting, "LOAD");
    redis_command_add_text(&link->greeting, redis_script);
    queue_greeting(link, REDIS_TAG_SCRIPT);
}

/* False when there should be one and is none. */
static bool queue_password(struct redis_link *link)
{
    const struct url_authority *authority = &link->config.url->authority;
    char reason[sizeof(link->failure)];
    bool is_open = false;
    char *password = NULL;

    if (link->config.password_file) {
        password = secret_read_file(link->config.password_file, &is_open, reason, sizeof(reason));
        if (!password) {
            redis_link_go_down(link, reason);
            return false;
        }
        if (is_open && !link->has_said_open)
            log_warning("redis: anybody may read password file %s: chmod 600",
                        link->config.password_file);
        link->has_said_open = is_open;
    }
    if (password || authority->password) {
        redis_command_begin(&link->greeting, "AUTH");
        if (authority->username)
            redis_command_add_text(&link->greeting, authority->username);
        redis_command_add_text(&link->greeting, password ? password : authority->password);
        queue_greeting(link, REDIS_TAG_AUTH);
    }
    free(password);
    return true;
}

void redis_link_greet(void *user)
{
    struct redis_link *link = user;
    char database[16];

    redis_link_set_state(link, REDIS_LINK_GREETING);
    redis_link_hold(link);
    if (!queue_password(link))
        return;
    if (link->config.url->database > 0) {
        snprintf(database, sizeof(database), "%d", link->config.url->database);
        redis_command_begin(&link->greeting, "SELECT");
        redis_command_add_text(&link->greeting, database);
        queue_greeting(link, REDIS_TAG_SELECT);
    }
    redis_command_begin(&link->greeting, "CLIENT");
    redis_command_add_text(&link->greeting, "SETNAME");
    redis_command_add_text(&link->greeting, link->config.client_name);
    queue_greeting(link, REDIS_TAG_NAME);
    redis_link_queue_script(link);
    redis_link_flush(link);
}

/* ---- what it says ----------------------------------------------------------------------------- */

static void go_down_by(struct redis_link *link, const char *error, bool may_quote)
{
    char reason[sizeof(link->failure)];

    redis_error_explain(error, may_quote, reason, sizeof(reason));
    redis_link_go_down(link, reason);
}

static void note_script(struct redis_link *link, const redisReply *reply)
{
    if (reply->type != REDIS_REPLY_STRING || strlen(reply->str) != REDIS_SHA_DIGITS) {
        redis_link_go_down(link, "its answer to SCRIPT LOAD is none of Redis's");
        return;
    }
    strcpy(link->sha, reply->str);
    link->is_loading = false;
    if (link->state == REDIS_LINK_GREETING) {
        link->failure[0] = '\0';
        link->connects++;
        link->up_at_ms = uv_now(link->loop);
        redis_link_set_state(link, REDIS_LINK_UP);
        if (!link->has_said_up)
            log_info("redis: connected to %s", link->config.host);
        link->has_said_up = true;
    }
    link->config.on_up(link);
}

void redis_link_greeted(struct redis_link *link, uint32_t tag, const redisReply *reply)
{
    enum redis_link_tag which = (enum redis_link_tag)(tag - REDIS_TAG_FIRST_OURS);

    if (which == REDIS_TAG_NAME)
        return; /* for who looks at CLIENT LIST; that it may not be is no matter */
    if (reply->type == REDIS_REPLY_ERROR)
        go_down_by(link, reply->str, which != REDIS_TAG_AUTH);
    else if (which == REDIS_TAG_SCRIPT)
        note_script(link, reply);
}

void redis_link_explain_unasked(struct redis_link *link, const redisReply *reply)
{
    if (reply->type == REDIS_REPLY_ERROR)
        go_down_by(link, reply->str, true);
    else
        redis_link_go_down(link, "it answers what was not asked; is REDIS_URL right?");
}
