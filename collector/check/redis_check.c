/* A connection that greets as the collector's does: password, database and script. Nothing is put. */
#include "collector/check/check.h"
#include "collector/sinks/redis_link.h"
#include "collector/sinks/redis_url.h"

#include <stdio.h>

enum { LOOK_MS = 20, PATIENCE_MS = 3000 };

struct visit {
    struct check *check;
    const struct settings *settings;
    uv_loop_t loop;
    uv_timer_t timer;
    struct redis_link link;
    uint64_t began_ms;
    bool is_up;
};

static void on_up(struct redis_link *link)
{
    struct visit *visit = link->config.user;

    visit->is_up = true;
}

static void on_down(struct redis_link *link)
{
    (void)link;
}

static void on_reply(struct redis_link *link, uint32_t tag, const struct redisReply *reply)
{
    (void)link;
    (void)tag;
    (void)reply;
}

static void on_closed(struct redis_link *link)
{
    (void)link;
}

/* The host may have several addresses, so one failure is not the end. */
static void on_look(uv_timer_t *timer)
{
    struct visit *visit = timer->data;
    uint64_t waited_ms = uv_now(&visit->loop) - visit->began_ms;
    bool has_failed = *visit->link.failure && waited_ms >= PATIENCE_MS;

    if (!visit->is_up && !has_failed && waited_ms < check_timeout_ms(visit->settings))
        return;
    if (visit->is_up)
        check_say(visit->check, CHECK_OK, "redis", "connected to %s", visit->link.address);
    else
        check_say(visit->check, CHECK_ERROR, "redis", "%s",
                  *visit->link.failure ? visit->link.failure : "no answer in time");
    uv_close((uv_handle_t *)timer, NULL);
    redis_link_close(&visit->link, on_closed);
}

static void run(struct visit *visit, const struct redis_url *url)
{
    const struct settings *s = visit->settings;
    struct redis_link_config config = {.url = url,
                                       .host = url->authority.host,
                                       .port = url->authority.port,
                                       .ca_file = s->redis_ca_file,
                                       .cert_file = s->redis_cert_file,
                                       .key_file = s->redis_key_file,
                                       .password_file = s->redis_password_file,
                                       .client_name = "highwater-check",
                                       .most_outstanding = 8,
                                       .user = visit,
                                       .on_up = on_up,
                                       .on_down = on_down,
                                       .on_reply = on_reply};
    char error[400];

    if (!redis_link_start(&visit->link, &visit->loop, &config, error, sizeof(error))) {
        check_say(visit->check, CHECK_ERROR, "redis", "%s", error);
        return;
    }
    uv_timer_init(&visit->loop, &visit->timer);
    visit->timer.data = visit;
    uv_timer_start(&visit->timer, on_look, LOOK_MS, LOOK_MS);
    redis_link_join(&visit->link);
    uv_run(&visit->loop, UV_RUN_DEFAULT);
}

void redis_check_run(struct check *check, const struct settings *settings)
{
    struct visit visit = {.check = check, .settings = settings};
    struct redis_url url = {0};

    uv_loop_init(&visit.loop);
    visit.began_ms = uv_now(&visit.loop);
    if (redis_url_parse(&url, settings->redis_url))
        run(&visit, &url);
    else
        check_say(check, CHECK_ERROR, "redis", "REDIS_URL: %s", REDIS_URL_LEGAL);
    redis_url_release(&url);
    uv_loop_close(&visit.loop);
}
