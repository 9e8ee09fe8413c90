#include "collector/suggest/listen.h"

#include "collector/settings.h"
#include "collector/suggest/suggest.h"
#include "shared/base/log.h"
#include "shared/base/timestamp.h"
#include "shared/net/mqtt_link.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { ANSWER_MS = 10000, PROGRESS_MS = 5000 };

struct listener {
    const struct suggest_config *config;
    uv_loop_t loop;
    struct mqtt_link link;
    uv_timer_t end; /* first of the wait for an answer, then of the listening */
    uv_timer_t progress;
    uv_signal_t sigint;
    uv_signal_t sigterm;
    char client_id[64];
    struct heard_messages heard;
    bool is_listening;
    bool is_ending;
    int status;
};

static void on_link_closed(struct mqtt_link *link)
{
    (void)link;
}

static void end(struct listener *l)
{
    if (l->is_ending)
        return;
    l->is_ending = true;
    uv_close((uv_handle_t *)&l->end, NULL);
    uv_close((uv_handle_t *)&l->progress, NULL);
    uv_close((uv_handle_t *)&l->sigint, NULL);
    uv_close((uv_handle_t *)&l->sigterm, NULL);
    mqtt_link_close(&l->link, on_link_closed);
}

static void end_with(struct listener *l, const char *what, const char *text)
{
    if (!l->is_ending) {
        log_complaint(what, text);
        l->status = 1;
    }
    end(l);
}

/* ---- events --------------------------------------------------------------------------------- */

static void on_no_answer(uv_timer_t *timer)
{
    struct listener *l = timer->data;

    end_with(l, "the broker", *l->link.failure ? l->link.failure : "no answer for 10 s");
}

static void on_listened(uv_timer_t *timer)
{
    end(timer->data);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct listener *l = handle->data;

    (void)number;
    if (!l->is_listening)
        l->status = 1;
    end(l);
}

static void on_progress(uv_timer_t *timer)
{
    const struct listener *l = timer->data;

    fprintf(stderr, "collector: %" PRIu64 " s more; %" PRIu64 " messages on %zu topics so far\n",
            (uv_timer_get_due_in(&l->end) + 999) / 1000, l->heard.messages, l->heard.count);
}

static void on_up(struct mqtt_link *link, bool session_present)
{
    struct listener *l = link->config.user;

    (void)session_present;
    mqtt_link_subscribe(link, l->config->filter, 0);
}

static void on_subscribed(struct mqtt_link *link, const char *filter, bool granted)
{
    struct listener *l = link->config.user;

    if (!granted) {
        end_with(l, filter,
                 "the broker refuses this filter: allow it, or name a narrower one (--filter)");
        return;
    }
    if (l->is_listening || l->is_ending)
        return;
    l->is_listening = true;
    uv_timer_start(&l->end, on_listened, (uint64_t)l->config->for_us / 1000, 0);
    uv_timer_start(&l->progress, on_progress, PROGRESS_MS, PROGRESS_MS);
    fprintf(stderr, "collector: listening to %s for %g s\n", filter,
            (double)l->config->for_us / 1e6);
}

static void on_down(struct mqtt_link *link, const char *reason)
{
    end_with(link->config.user, "the broker", reason);
}

static void on_message(struct mqtt_link *link, const struct mqtt_delivery *delivery)
{
    struct listener *l = link->config.user;

    heard_add(&l->heard, delivery->topic, delivery->payload, delivery->bytes, timestamp_now(),
              delivery->retain);
}

/* ---- a run ---------------------------------------------------------------------------------- */

static bool hear(struct listener *l)
{
    struct mqtt_link_config mqtt = settings_mqtt(l->config->settings);
    char error[256];

    snprintf(l->client_id, sizeof(l->client_id), "highwater-suggest-%ld-%llx", (long)getpid(),
             (unsigned long long)uv_hrtime());
    mqtt.name = "mqtt";
    mqtt.client_id = l->client_id;
    mqtt.quiet = true;
    mqtt.user = l;
    mqtt.on_up = on_up;
    mqtt.on_down = on_down;
    mqtt.on_message = on_message;
    mqtt.on_subscribed = on_subscribed;
    uv_loop_init(&l->loop);
    if (!mqtt_link_start(&l->link, &l->loop, &mqtt, error, sizeof(error))) {
        fprintf(stderr, "collector: mqtt-url: %s\n", error);
        return false;
    }
    uv_timer_init(&l->loop, &l->end);
    uv_timer_init(&l->loop, &l->progress);
    uv_signal_init(&l->loop, &l->sigint);
    uv_signal_init(&l->loop, &l->sigterm);
    l->end.data = l->progress.data = l->sigint.data = l->sigterm.data = l;
    uv_signal_start(&l->sigint, on_signal, SIGINT);
    uv_signal_start(&l->sigterm, on_signal, SIGTERM);
    uv_timer_start(&l->end, on_no_answer, ANSWER_MS, 0);
    uv_run(&l->loop, UV_RUN_DEFAULT);
    uv_loop_close(&l->loop);
    return l->status == 0;
}

int suggest_run(const struct suggest_config *config)
{
    struct listener l = {.config = config};
    struct buffer out = {0};

    if (!hear(&l)) {
        heard_release(&l.heard);
        return 1;
    }
    fprintf(stderr, "collector: %" PRIu64 " messages on %zu topics\n", l.heard.messages,
            l.heard.count);
    if (!suggest_write(&out, &l.heard)) {
        fprintf(stderr, "collector: nothing was heard of which a mapping could be made; listen for "
                        "longer (--for), or to another filter (--filter)\n");
        l.status = 1;
    }
    fwrite(out.data, 1, out.bytes, stdout);
    if (fflush(stdout) != 0)
        l.status = 1;
    buffer_release(&out);
    heard_release(&l.heard);
    return l.status;
}
