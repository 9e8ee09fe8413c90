/* devicesim: wiring. What is sent, when and how is decided in fleet, replay and emitter.
 *
 *   connecting -> sending -> draining -> closing
 *
 * Before the loop goes to sleep it asks the source for what is due (on_prepare) and writes it to
 * the sockets, so that whatever became possible in one turn of the loop leaves in one piece. */
#include "devicesim/emitter.h"
#include "devicesim/fleet.h"
#include "devicesim/oversize.h"
#include "devicesim/publishers.h"
#include "devicesim/replay.h"
#include "devicesim/report.h"
#include "devicesim/settings.h"
#include "devicesim/truth.h"
#include "devicesim/verify.h"
#include "devicesim/watcher.h"
#include "shared/base/log.h"
#include "shared/base/mem.h"
#include "shared/base/random.h"
#include "shared/base/secret.h"
#include "shared/base/timestamp.h"
#include "shared/net/signals.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

enum {
    TICK_MS = 200,          /* live line, ends by time, news about connections */
    DESCRIPTORS_SPARE = 64, /* besides one for each connection */
    STUCK_US = 5000000,     /* without a new connection: send over those that there are */
    NEWS_US = 5000000,      /* between two different reasons why connections fail */
    LINGER_US = 1500000,    /* for the last readings to show on a board */
    NAP_LEAST_US = 60,      /* the kernel takes that long to wake somebody */
    NAP_MOST_US = 500,
    TERMINAL_COLUMNS = 80
};

/* Of the topic of a device's last will; what stands before it is as in its readings' topic. */
#define STATUS_SUFFIX "/status"

enum phase { CONNECTING, SENDING, DRAINING, LINGERING, CLOSING };

struct run {
    struct settings settings;
    enum phase phase;
    uv_loop_t loop;
    uv_prepare_t prepare;
    uv_idle_t awake; /* runs while the loop must not sleep */
    uv_timer_t due;
    uv_timer_t tick;
    uv_signal_t sigint;
    uv_signal_t sigterm;
    struct signals signals;

    struct report report;
    struct truth truth;
    struct publishers publishers;
    struct oversize oversize;
    struct emitter emitter;
    struct watcher watcher;
    struct fleet fleet;
    struct replay replay;
    struct source source;

    struct mqtt_link_config mqtt;
    char client_suffix[16];
    bool has_failed;
    bool has_connected;
    bool is_interrupted; /* by a signal */
    bool is_flat_out;    /* as fast as acknowledged */
    bool has_room;       /* a connection has got some since the source was asked last */
    bool is_live;        /* there is a terminal to draw on */
    bool has_live_line;
    int64_t due_us;       /* what the timer is set to */
    int64_t sending_us;   /* when that phase began */
    int64_t ending_us;    /* and the one after it */
    int64_t connected_us; /* when the last connection was new */
    size_t connected;
    char failure[200]; /* the last one told */
    int64_t told_us;   /* and when */
    uint64_t flap_random;
    unsigned open;
};

static int64_t now_us(void)
{
    return (int64_t)(uv_hrtime() / 1000);
}

/* ---- what is said meanwhile ----------------------------------------------------------------- */

static void erase_live_line(struct run *run)
{
    if (run->has_live_line)
        fputs("\r\033[K", stderr);
    run->has_live_line = false;
}

static double progress(const struct run *run)
{
    double by_source = run->source.progress(run->source.self);
    double by_time = -1;

    if (run->settings.duration_us > 0 && run->sending_us > 0)
        by_time = (double)(now_us() - run->sending_us) / (double)run->settings.duration_us;
    if (by_time > 1)
        by_time = 1;
    return by_source > by_time ? by_source : by_time;
}

static void draw_live_line(struct run *run)
{
    struct buffer line = {0};
    struct winsize size = {0};
    unsigned columns = TERMINAL_COLUMNS;

    if (!run->is_live)
        return;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        columns = size.ws_col;
    report_live(&run->report, &line, now_us(), progress(run), columns);
    fprintf(stderr, "\r%s\033[K", buffer_text(&line));
    fflush(stderr);
    run->has_live_line = true;
    buffer_release(&line);
}

/* One line for the whole fleet when connections cannot be made, and again for another reason. */
static void tell_failure(struct run *run)
{
    const char *failure = publishers_look(&run->publishers);

    if (!failure) {
        run->failure[0] = '\0';
        return;
    }
    if (strcmp(failure, run->failure) == 0 || now_us() - run->told_us < NEWS_US)
        return;
    run->told_us = now_us();
    snprintf(run->failure, sizeof(run->failure), "%s", failure);
    erase_live_line(run);
    log_warning("mqtt: %zu of %zu connections up; the others keep trying: %s", run->publishers.up,
                run->publishers.config.count, failure);
}

/* ---- phases --------------------------------------------------------------------------------- */

static void close_everything(struct run *run);

static void begin_sending(struct run *run)
{
    run->phase = SENDING;
    run->sending_us = now_us();
    if (!run->settings.replay_path)
        fleet_start(&run->fleet, run->sending_us);
}

/* Ends with what is kept back, and then with what is not acknowledged yet. */
static void begin_draining(struct run *run)
{
    if (run->phase >= DRAINING)
        return;
    run->phase = DRAINING;
    run->ending_us = now_us();
    run->source.finish(run->source.self);
}

static bool all_is_answered(const struct run *run)
{
    return report_outstanding(&run->report) == 0 && !oversize_is_busy(&run->oversize);
}

/* Whether --duration has gone by since then. */
static bool is_over(const struct run *run, int64_t since_us, int64_t now)
{
    return run->settings.duration_us > 0 && now - since_us >= run->settings.duration_us;
}

/* To the next phase, if it is time. */
static void move_on(struct run *run)
{
    int64_t now = now_us();

    switch (run->phase) {
    case CONNECTING:
        /* A steady rate over half of the fleet would not be the one that was asked for. */
        if (run->settings.replay_path || run->settings.pacing == FLEET_INTERVAL ||
            run->publishers.connected == run->publishers.config.count ||
            (run->publishers.connected > 0 && now - run->connected_us > STUCK_US))
            begin_sending(run);
        else if (is_over(run, run->report.start_us, now))
            begin_draining(run); /* nobody was there to send to */
        break;
    case SENDING:
        if (run->source.is_done(run->source.self) || is_over(run, run->sending_us, now))
            begin_draining(run);
        break;
    case DRAINING:
        if (run->settings.until_stored && all_is_answered(run)) {
            run->phase = LINGERING;
            run->ending_us = now;
        } else if (all_is_answered(run) || now - run->ending_us >= run->settings.drain_us) {
            close_everything(run);
        }
        break;
    case LINGERING:
        if (now - run->ending_us >= LINGER_US)
            close_everything(run);
        break;
    case CLOSING:
        break;
    }
}

/* ---- the loop ------------------------------------------------------------------------------- */

static void on_due(uv_timer_t *timer)
{
    struct run *run = timer->data;

    run->due_us = SOURCE_NOTHING_DUE; /* the loop is awake: on_prepare does the rest */
}

static void set_due(struct run *run, int64_t due_us)
{
    int64_t now = now_us();
    int64_t wait_ms;

    if (due_us == run->due_us)
        return;
    run->due_us = due_us;
    if (due_us == SOURCE_NOTHING_DUE) {
        uv_timer_stop(&run->due);
        return;
    }
    uv_update_time(&run->loop);
    wait_ms = due_us > now ? (due_us - now + 999) / 1000 : 0;
    uv_timer_start(&run->due, on_due, (uint64_t)wait_ms, 0);
}

/* Flat out, every acknowledgement wakes us by itself, only to find that there is no room yet. A nap
 * that is short beside the time in which a window empties costs no throughput and spares both sides
 * most of these wakeups. */
static void nap(const struct run *run)
{
    const struct report *report = &run->report;
    double window = (double)run->settings.connections * (double)run->settings.inflight;
    double busy_us = (double)(report->last_us - report->first_us);
    double nap_us;

    if (!run->is_flat_out || run->settings.qos != 1 || run->phase != SENDING ||
        report->acked == 0 || busy_us <= 0 || (double)report_outstanding(report) < window / 2)
        return;
    nap_us = window / ((double)report->acked / busy_us) / 8;
    if (nap_us > NAP_LEAST_US)
        nanosleep(&(struct timespec){.tv_nsec = nap_us < NAP_MOST_US ? (long)(nap_us * 1000)
                                                                     : NAP_MOST_US * 1000L},
                  NULL);
}

static void on_awake(uv_idle_t *idle)
{
    (void)idle;
}

static void on_prepare(uv_prepare_t *prepare)
{
    struct run *run = prepare->data;
    enum phase before;

    do {
        before = run->phase;
        move_on(run);
    } while (run->phase != before);
    run->has_room = false;
    if (run->phase == SENDING) {
        int64_t due_us = run->source.pump(run->source.self, now_us());
        int64_t end_us = run->sending_us + run->settings.duration_us;

        set_due(run, run->settings.duration_us > 0 && end_us < due_us ? end_us : due_us);
    }
    publishers_flush(&run->publishers);
    nap(run);
    if (run->has_room) /* with QoS 0 writing is all it takes, and nothing will wake us */
        uv_idle_start(&run->awake, on_awake);
    else
        uv_idle_stop(&run->awake);
    if (run->truth.failed && !run->has_failed) {
        run->has_failed = true;
        erase_live_line(run);
        log_error("truth: %s cannot be written: %s", run->settings.truth_path,
                  strerror(run->truth.failed));
        begin_draining(run);
    }
    if (run->replay.error[0] && !run->has_failed) {
        run->has_failed = true;
        erase_live_line(run);
        log_error("replay: %s, %s", run->settings.replay_path, run->replay.error);
    }
}

static void cut_flapping_ones(struct run *run)
{
    double chance = TICK_MS * 1e3 / (double)run->settings.flap_every_us;

    if (run->settings.faults.shares[FAULT_FLAPPING] <= 0 || run->phase != SENDING)
        return;
    for (size_t i = 0; i < run->publishers.started; i++) {
        if (run->publishers.items[i].flaps && random_unit(&run->flap_random) < chance) {
            publishers_cut(&run->publishers, i);
            run->report.faults[FAULT_FLAPPING]++;
        }
    }
}

static void on_tick(uv_timer_t *timer)
{
    struct run *run = timer->data;

    if (run->publishers.connected != run->connected || run->connected_us == 0) {
        run->connected = run->publishers.connected;
        run->connected_us = now_us();
        if (run->connected == run->publishers.config.count) {
            erase_live_line(run);
            log_info("mqtt: %zu of %zu connections up", run->publishers.up,
                     run->publishers.config.count);
        }
    }
    tell_failure(run);
    cut_flapping_ones(run);
    draw_live_line(run);
}

static void on_signal(uv_signal_t *signal_handle, int number)
{
    struct run *run = signal_handle->data;

    (void)number;
    if (run->phase == CLOSING)
        return;
    run->is_interrupted = true;
    erase_live_line(run);
    if (run->phase >= DRAINING) {
        log_info("ending at once, with %" PRIu64 " messages unacknowledged",
                 report_outstanding(&run->report));
        close_everything(run);
        return;
    }
    log_info("ending, after the acknowledgement of %" PRIu64 " messages",
             report_outstanding(&run->report));
    begin_draining(run);
}

static void on_hangup(void *user)
{
    struct run *run = user;

    erase_live_line(run);
    if (run->phase < CLOSING)
        publishers_reload(&run->publishers);
}

/* ---- closing -------------------------------------------------------------------------------- */

static void on_part_closed(struct run *run)
{
    if (--run->open > 0)
        return;
    uv_close((uv_handle_t *)&run->prepare, NULL);
    uv_close((uv_handle_t *)&run->awake, NULL);
    uv_close((uv_handle_t *)&run->due, NULL);
    uv_close((uv_handle_t *)&run->tick, NULL);
    uv_close((uv_handle_t *)&run->sigint, NULL);
    signals_close(&run->signals);
    uv_close((uv_handle_t *)&run->sigterm, NULL);
}

static void on_publishers_closed(struct publishers *publishers)
{
    on_part_closed((struct run *)((char *)publishers - offsetof(struct run, publishers)));
}

static void on_oversize_closed(struct oversize *oversize)
{
    on_part_closed((struct run *)((char *)oversize - offsetof(struct run, oversize)));
}

static void on_watcher_closed(struct watcher *watcher)
{
    on_part_closed((struct run *)((char *)watcher - offsetof(struct run, watcher)));
}

static void close_everything(struct run *run)
{
    const char *failure = publishers_look(&run->publishers);

    if (failure)
        snprintf(run->failure, sizeof(run->failure), "%s", failure);
    run->phase = CLOSING;
    run->has_connected = run->publishers.connected > 0;
    run->open = run->settings.until_stored ? 3 : 2;
    uv_timer_stop(&run->tick);
    if (run->settings.until_stored)
        watcher_close(&run->watcher, on_watcher_closed);
    publishers_close(&run->publishers, on_publishers_closed);
    oversize_close(&run->oversize, on_oversize_closed);
}

/* ---- starting ------------------------------------------------------------------------------- */

static void identify(void *user, size_t which, struct publisher_identity *out)
{
    struct run *run = user;
    const struct settings *settings = &run->settings;
    struct buffer will = {0};
    char id[DEVICE_ID_SIZE];
    char client_id[DEVICE_ID_SIZE + 32];

    out->flaps = fault_has_trait(&settings->faults, FAULT_FLAPPING, which);
    if (!settings->has_own_connections) {
        snprintf(client_id, sizeof(client_id), "devicesim-%s-%zu", run->client_suffix, which);
        out->client_id = mem_strdup(client_id);
        return;
    }
    fleet_device_id(id, settings->device_prefix, (uint32_t)which);
    out->password = credentials_password(&settings->credentials, id);
    /* With a password of its own the device is who it says. Without, two fleets with the same ids
     * may well run at once, and would throw each other out for ever if only the ids told them
     * apart. */
    snprintf(client_id, sizeof(client_id), out->password ? "%s" : "%s-%s", id, run->client_suffix);
    out->client_id = mem_strdup(client_id);
    if (out->password)
        out->username = out->client_id;
    if (strcmp(settings->topic.suffix, STATUS_SUFFIX) == 0)
        return; /* a last will would be taken for a reading */
    buffer_put(&will, settings->topic.prefix, settings->topic.prefix_bytes);
    buffer_put_text(&will, id);
    buffer_put_text(&will, STATUS_SUFFIX);
    out->will_topic = mem_strdup(buffer_text(&will));
    buffer_release(&will);
}

static void on_room(void *user, size_t publisher)
{
    struct run *run = user;

    run->has_room = true;
    run->source.on_room(run->source.self, publisher, now_us());
}

static bool raise_descriptor_limit(size_t connections)
{
    struct rlimit limit;
    rlim_t needed = connections + DESCRIPTORS_SPARE;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= needed)
        return true;
    if (limit.rlim_max < needed) {
        log_error(
            "%zu connections need %llu descriptors, and this system allows %llu (ulimit -Hn): "
            "raise that, or share connections with --connections",
            connections, (unsigned long long)needed, (unsigned long long)limit.rlim_max);
        return false;
    }
    limit.rlim_cur = limit.rlim_max;
    return setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

static int open_source(struct run *run)
{
    struct settings *settings = &run->settings;

    settings->rules.ranges = &settings->ranges;
    if (settings->replay_path) {
        const struct replay_config config = {.path = settings->replay_path,
                                             .speed = settings->speed,
                                             .shift_to_now = settings->shift_to_now,
                                             .count = settings->count,
                                             .connections = (uint32_t)settings->connections,
                                             .faults = settings->faults,
                                             .emitter = &run->emitter,
                                             .publishers = &run->publishers};

        if (!replay_open(&run->replay, &config)) {
            log_error("replay: %s, %s", settings->replay_path, run->replay.error);
            replay_close(&run->replay);
            return 2;
        }
        run->source = replay_source(&run->replay);
    } else {
        const struct fleet_config config = {.rules = settings->rules,
                                            .faults = settings->faults,
                                            .devices = (uint32_t)settings->devices,
                                            .connections = (uint32_t)settings->connections,
                                            .prefix = settings->device_prefix,
                                            .pacing = settings->pacing,
                                            .rate = settings->rate,
                                            .ramp_up_us = settings->ramp_up_us,
                                            .count = settings->count,
                                            .burst_size = (uint32_t)settings->burst_size,
                                            .has_fixed_clock = settings->has_fixed_clock,
                                            .fixed_clock_us = settings->fixed_clock_us,
                                            .emitter = &run->emitter,
                                            .publishers = &run->publishers,
                                            .report = &run->report};

        fleet_init(&run->fleet, &config);
        run->source = fleet_source(&run->fleet);
    }
    return -1;
}

static void close_source(struct run *run)
{
    if (run->settings.replay_path)
        replay_close(&run->replay);
    else
        fleet_release(&run->fleet);
}

static const struct features *features_of(const struct run *run)
{
    return run->settings.replay_path ? replay_features(&run->replay)
                                     : &run->settings.ranges.features;
}

static bool start_links(struct run *run, char *error, size_t error_bytes)
{
    const struct settings *settings = &run->settings;
    struct publishers_config config = {.count = settings->connections,
                                       .inflight = (uint32_t)settings->inflight,
                                       .qos = (int)settings->qos,
                                       .report = &run->report,
                                       .truth = &run->truth,
                                       .user = run,
                                       .identify = identify,
                                       .on_room = on_room};

    run->mqtt = (struct mqtt_link_config){.name = "mqtt",
                                          .url = settings->mqtt_url,
                                          .keepalive_s = (uint16_t)settings->keepalive_s,
                                          .ca_file = settings->ca_file,
                                          .cert_file = settings->cert_file,
                                          .key_file = settings->key_file,
                                          .password_file = settings->mqtt_password_file,
                                          .is_v311 = settings->is_v311,
                                          .quiet = true};
    config.mqtt = run->mqtt;
    if (!publishers_start(&run->publishers, &run->loop, &config, error, error_bytes))
        return false;
    oversize_init(&run->oversize, &run->loop, &run->mqtt, &run->publishers);
    if (settings->until_stored)
        watcher_start(&run->watcher, &run->loop, &run->mqtt, features_of(run), &run->report, error,
                      error_bytes); /* the URL was legal above */
    return true;
}

static void start_handles(struct run *run)
{
    uv_prepare_init(&run->loop, &run->prepare);
    uv_idle_init(&run->loop, &run->awake);
    uv_timer_init(&run->loop, &run->due);
    uv_timer_init(&run->loop, &run->tick);
    uv_signal_init(&run->loop, &run->sigint);
    uv_signal_init(&run->loop, &run->sigterm);
    run->prepare.data = run->due.data = run->tick.data = run;
    run->sigint.data = run->sigterm.data = run;
    uv_prepare_start(&run->prepare, on_prepare);
    uv_timer_start(&run->tick, on_tick, TICK_MS, TICK_MS);
    uv_signal_start(&run->sigint, on_signal, SIGINT);
    uv_signal_start(&run->sigterm, on_signal, SIGTERM);
    signals_start(&run->signals, &run->loop, on_hangup, run);
    run->due_us = SOURCE_NOTHING_DUE;
}

static void print_report(struct run *run)
{
    struct buffer text = {0};

    erase_live_line(run);
    if (run->settings.as_json)
        report_json(&run->report, &text, now_us());
    else
        report_text(&run->report, &text, now_us());
    fputs(buffer_text(&text), stdout);
    fflush(stdout);
    buffer_release(&text);
}

/* Whether all that was to be sent has been taken, with a line when it has not. */
static bool has_succeeded(const struct run *run)
{
    const struct report *report = &run->report;
    /* what is too large on purpose is meant to be refused */
    uint64_t meant = report->faults[FAULT_OVERSIZED] - report->oversized_accepted;
    uint64_t refused = report->refused > meant ? report->refused - meant : 0;
    char why[REPORT_REFUSAL_SIZE];

    if (run->has_failed)
        return false; /* which has been said */
    if (!run->has_connected && !run->is_interrupted)
        log_error("nothing was sent, for no connection came up: %s",
                  run->failure[0] ? run->failure : "there was no time for it");
    else if (refused > 0)
        log_error("%" PRIu64 " of %" PRIu64 " messages were refused: %s", refused, report->sent,
                  report_refusal(report, why));
    else if (report_outstanding(report) > 0)
        log_error("%" PRIu64 " of %" PRIu64 " messages were not acknowledged",
                  report_outstanding(report), report->sent);
    return (run->has_connected || run->is_interrupted) && refused == 0 &&
           report_outstanding(report) == 0;
}

static int simulate(struct run *run)
{
    struct settings *settings = &run->settings;
    char error[256];
    int status;

    if (!raise_descriptor_limit(settings->connections))
        return 2;
    status = open_source(run);
    if (status >= 0)
        return status;
    if (!truth_open(&run->truth, settings->truth_path, features_of(run))) {
        log_error("truth: %s cannot be opened: %s", settings->truth_path, strerror(errno));
        close_source(run);
        return 2;
    }
    run->report = (struct report){.seed = settings->rules.seed,
                                  .qos = (int)settings->qos,
                                  .start_us = now_us(),
                                  .wants_visible = settings->until_stored};
    run->is_flat_out =
        settings->replay_path ? settings->speed <= 0 : settings->pacing == FLEET_FLAT_OUT;
    run->is_live = isatty(STDERR_FILENO);
    run->flap_random = settings->rules.seed;
    snprintf(run->client_suffix, sizeof(run->client_suffix), "%06" PRIx64,
             (uint64_t)(timestamp_now() ^ ((int64_t)getpid() << 20)) & 0xffffff);
    emitter_init(&run->emitter, &(struct emitter_config){
                                    .topic = &settings->topic,
                                    .features = features_of(run),
                                    .faults = settings->faults,
                                    .with_seq = settings->with_seq,
                                    .oversized_bytes = settings->oversized_bytes,
                                    .publishers = &run->publishers,
                                    .oversize = &run->oversize,
                                    .probe = settings->until_stored ? &run->watcher.probe : NULL,
                                    .report = &run->report});
    uv_loop_init(&run->loop);
    if (start_links(run, error, sizeof(error))) {
        start_handles(run);
        uv_run(&run->loop, UV_RUN_DEFAULT);
        print_report(run);
        status = has_succeeded(run) ? 0 : 1;
    } else {
        status = settings_reject_url("mqtt-url", settings->mqtt_url, error);
    }
    uv_loop_close(&run->loop);
    emitter_release(&run->emitter);
    truth_close(&run->truth);
    close_source(run);
    return status;
}

int main(int argc, char **argv)
{
    struct run *run = mem_calloc(1, sizeof(*run));
    int status;

    signals_init();
    log_init("devicesim");
    status = settings_read(&run->settings, argc, argv);
    if (!run->settings.core_dumps)
        secret_protect_process();
    if (status < 0 && run->settings.verify_url)
        status = verify_run(&(struct verify_config){
            .database_url = run->settings.verify_url,
            .truth_path = run->settings.truth_path,
            .topic = &run->settings.topic,
            .wait_us = run->settings.verify_wait_us,
            .give_up_after_ms = (uint64_t)run->settings.give_up_after_us / 1000,
            .as_json = run->settings.as_json});
    else if (status < 0)
        status = simulate(run);
    settings_release(&run->settings);
    free(run);
    return status;
}
