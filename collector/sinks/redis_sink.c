#include "collector/sinks/redis_sink.h"

#include "shared/base/log.h"
#include "shared/base/mem.h"

#include <hiredis.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- where things go -------------------------------------------------------------------------- */

struct redis_node *redis_sink_node_of(const struct redis_sink *r, const struct redis_place *place)
{
    if (place->node && redis_link_is_up(&place->node->link))
        return place->node;
    for (size_t i = 0; i < r->node_count; i++) {
        if (redis_link_is_up(&r->nodes[i]->link))
            return r->nodes[i];
    }
    return NULL;
}

static struct redis_node *new_node(struct redis_sink *r, const char *host, int port, char *error,
                                   size_t error_bytes)
{
    const struct settings *settings = r->sink.config.settings;
    struct redis_node *node = mem_calloc(1, sizeof(*node));
    struct redis_link_config config = {.url = &r->url,
                                       .host = node->host,
                                       .port = port,
                                       .ca_file = settings->redis_ca_file,
                                       .cert_file = settings->redis_cert_file,
                                       .key_file = settings->redis_key_file,
                                       .password_file = settings->redis_password_file,
                                       .client_name = r->client_name,
                                       .user = node,
                                       .on_up = redis_sink_on_up,
                                       .on_down = redis_sink_on_down,
                                       .on_reply = redis_sink_on_reply};

    /* all places, the lines, and the link's own */
    config.most_outstanding = r->sink.config.board_count + 1 + REDIS_LINES_MOST + 8;
    node->sink = r;
    snprintf(node->host, sizeof(node->host), "%s", host);
    if (!redis_link_start(&node->link, r->sink.config.loop, &config, error, error_bytes)) {
        free(node);
        return NULL;
    }
    r->nodes[r->node_count++] = node;
    return node;
}

struct redis_node *redis_sink_find_node(struct redis_sink *r, const char *host, int port,
                                        char *error, size_t error_bytes)
{
    struct redis_node *node = NULL;

    for (size_t i = 0; i < r->node_count && !node; i++) {
        if (strcmp(r->nodes[i]->host, host) == 0 && r->nodes[i]->link.config.port == port)
            node = r->nodes[i];
    }
    snprintf(error, error_bytes, "the cluster has more than %d nodes", REDIS_NODES_MAX);
    if (!node && r->node_count < REDIS_NODES_MAX)
        node = new_node(r, host, port, error, error_bytes);
    if (node)
        redis_link_join(&node->link);
    return node;
}

/* ---- what is put ------------------------------------------------------------------------------ */

void redis_sink_drop_waiting(struct redis_place *place)
{
    redisFreeCommand(place->waiting);
    place->waiting = NULL;
}

void redis_sink_send(struct redis_sink *r, struct redis_place *place)
{
    struct redis_node *node = redis_sink_node_of(r, place);

    if (!place->waiting || place->sent_to || !node)
        return;
    place->sent_to = node; /* before: should the connection end over it, it is not on its way */
    if (!redis_link_send(&node->link, (uint32_t)(place - r->places), place->waiting,
                         place->waiting_bytes)) {
        place->sent_to = NULL;
        place->is_lacking = true;
    }
    redis_sink_drop_waiting(place);
}

static void put_in(struct redis_sink *r, struct redis_place *place)
{
    r->replaced += place->waiting != NULL;
    redis_sink_drop_waiting(place);
    place->waiting = redis_command_format(&r->command, &place->waiting_bytes);
    redis_sink_send(r, place);
}

/* What does not stay is not waited with. */
static bool put_line(struct redis_sink *r)
{
    struct redis_node *node = redis_sink_node_of(r, &r->places[redis_sink_status_place(r)]);
    size_t bytes;
    char *command;
    bool is_sent;

    if (!node || r->lines_outstanding >= REDIS_LINES_MOST)
        return false;
    command = redis_command_format(&r->command, &bytes);
    is_sent = redis_link_send(&node->link, redis_sink_line_tag(r), command, bytes);
    redisFreeCommand(command);
    r->lines_outstanding += is_sent;
    return is_sent;
}

static bool put(struct sink *sink, const struct sink_item *item)
{
    struct redis_sink *r = (void *)sink;
    const struct settings *settings = sink->config.settings;
    const struct redis_node *node = redis_sink_node_of(r, &r->places[0]);
    struct redis_put how = {.collector_id = settings->collector_id,
                            .features = &settings->features,
                            .turn = item->turn,
                            .expiry_ms = redis_sink_expiry_ms(r)};

    if (item->what == SINK_NOTE || item->what == SINK_RECALL)
        return true;
    if (!node)
        return false;
    how.sha = node->link.sha; /* of one script, so the same everywhere */
    if (item->what == SINK_STATUS) {
        how.generation = ++r->status_generation;
        how.expiry_ms = REDIS_STATUS_EXPIRY_MS;
    }
    redis_command_put(&r->command, &how, item);
    if (item->what == SINK_LINE)
        return put_line(r);
    put_in(r, &r->places[item->what == SINK_BOARD ? item->board : redis_sink_status_place(r)]);
    return true;
}

static void hold(struct sink *sink)
{
    struct redis_sink *r = (void *)sink;

    for (size_t i = 0; i < r->node_count; i++)
        redis_link_hold(&r->nodes[i]->link);
}

static void flush(struct sink *sink)
{
    struct redis_sink *r = (void *)sink;

    for (size_t i = 0; i < r->node_count; i++)
        redis_link_flush(&r->nodes[i]->link);
}

/* ---- what is asked ---------------------------------------------------------------------------- */

static bool is_ready(const struct sink *sink)
{
    const struct redis_sink *r = (const void *)sink;

    return redis_sink_node_of(r, &r->places[0]) != NULL;
}

static bool lacks(const struct sink *sink, size_t board)
{
    const struct redis_sink *r = (const void *)sink;
    const struct redis_place *place = &r->places[board];

    if (!is_ready(sink) || place->sent_to)
        return false;
    return place->is_lacking || (place->is_put && uv_now(sink->config.loop) >= place->renew_at_ms);
}

static enum broker_memory memory(const struct sink *sink, uint64_t since_ms)
{
    (void)sink;
    (void)since_ms;
    return BROKER_UNKNOWN;
}

static uint64_t takeovers(const struct sink *sink)
{
    (void)sink;
    return 0;
}

static void put_nothing(const struct sink *sink, struct buffer *out)
{
    (void)sink;
    (void)out;
}

/* ---- coming and going ------------------------------------------------------------------------- */

static void identify(struct sink *sink, const struct mqtt_identity *identity)
{
    (void)sink;
    (void)identity;
}

static void join(struct sink *sink)
{
    struct redis_sink *r = (void *)sink;

    r->is_joined = true;
    redis_link_join(&r->nodes[0]->link);
}

static void leave(struct sink *sink)
{
    struct redis_sink *r = (void *)sink;

    r->is_joined = false;
    for (size_t i = 0; i < r->node_count; i++)
        redis_link_leave(&r->nodes[i]->link);
    r->refusal[0] = '\0';
}

static void reload(struct sink *sink)
{
    struct redis_sink *r = (void *)sink;

    for (size_t i = 0; i < r->node_count; i++)
        redis_link_reload(&r->nodes[i]->link);
}

static void tick(struct sink *sink)
{
    (void)sink;
}

/* ---- beginning and end ------------------------------------------------------------------------ */

static const char *url(const struct settings *settings)
{
    return settings->redis_url;
}

static void free_sink(struct sink *sink)
{
    struct redis_sink *r = (void *)sink;

    for (size_t i = 0; i <= redis_sink_status_place(r); i++)
        redis_sink_drop_waiting(&r->places[i]);
    for (size_t i = 0; i < r->node_count; i++)
        free(r->nodes[i]);
    free(r->places);
    redis_command_release(&r->command);
    redis_url_release(&r->url);
    free(r);
}

/* Words for what is wrong with the settings, or NULL. */
static const char *flaw(const struct redis_url *redis, const struct settings *settings)
{
    const struct url_authority *authority = &redis->authority;

    if (authority->username && !authority->password && !settings->redis_password_file)
        return "with a user it has a password, too, or REDIS_PASSWORD_FILE names its file";
    if (!redis->use_tls &&
        (settings->redis_ca_file || settings->redis_cert_file || settings->redis_key_file))
        return "with REDIS_CA_FILE, REDIS_CERT_FILE or REDIS_KEY_FILE it begins with rediss://";
    return NULL;
}

static struct sink *open_sink(const struct sink_config *config, char *error, size_t error_bytes)
{
    struct redis_sink *r = mem_calloc(1, sizeof(*r));
    const char *words = REDIS_URL_LEGAL;

    r->sink = (struct sink){.kind = &sink_redis, .config = *config};
    r->places = mem_calloc(config->board_count + 1, sizeof(r->places[0]));
    r->status_generation = config->started_at_us;
    snprintf(r->client_name, sizeof(r->client_name), "highwater-%s",
             config->settings->collector_id);
    if (redis_url_parse(&r->url, config->settings->redis_url))
        words = flaw(&r->url, config->settings);
    if (words)
        snprintf(error, error_bytes, "%s", words);
    if (!words && new_node(r, r->url.authority.host, r->url.authority.port, error, error_bytes))
        return &r->sink;
    free_sink(&r->sink);
    return NULL;
}

static void on_node_closed(struct redis_link *link)
{
    const struct redis_node *node = link->config.user;
    struct redis_sink *r = node->sink;

    if (--r->open_nodes == 0)
        r->on_closed(r->sink.user);
}

static void close_sink(struct sink *sink, void (*on_closed)(void *user))
{
    struct redis_sink *r = (void *)sink;

    r->on_closed = on_closed;
    r->open_nodes = r->node_count;
    for (size_t i = 0; i < r->node_count; i++)
        redis_link_close(&r->nodes[i]->link, on_node_closed);
}

const struct sink_kind sink_redis = {.setting = "redis-url",
                                     .url = url,
                                     .open = open_sink,
                                     .close = close_sink,
                                     .free = free_sink,
                                     .identify = identify,
                                     .join = join,
                                     .leave = leave,
                                     .reload = reload,
                                     .tick = tick,
                                     .put = put,
                                     .hold = hold,
                                     .flush = flush,
                                     .is_ready = is_ready,
                                     .takes_boards = is_ready,
                                     .lacks = lacks,
                                     .memory = memory,
                                     .takeovers = takeovers,
                                     .put_away = put_nothing,
                                     .put_faults = put_nothing,
                                     .put_remarks = redis_sink_put_remarks,
                                     .put_metrics = redis_sink_put_metrics,
                                     .put_status = put_nothing};
