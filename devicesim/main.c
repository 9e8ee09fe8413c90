/* devicesim: wiring. How a run goes is decided in run and phase, what is sent and when in fleet,
 * replay and emitter, and whether a store has it all in verify. */
#include "devicesim/check.h"
#include "devicesim/descriptors.h"
#include "devicesim/outcome.h"
#include "devicesim/run.h"
#include "devicesim/verify.h"
#include "shared/base/log.h"
#include "shared/base/mem.h"
#include "shared/base/secret.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the source ----------------------------------------------------------------------------- */

static bool open_replay(struct run *run)
{
    const struct settings *settings = &run->settings;
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
        return false;
    }
    run->source = replay_source(&run->replay);
    run->is_flat_out = settings->speed <= 0;
    return true;
}

static void open_fleet(struct run *run)
{
    struct settings *settings = &run->settings;
    struct fleet_config config = {.faults = settings->faults,
                                  .devices = (uint32_t)settings->devices,
                                  .connections = (uint32_t)settings->connections,
                                  .prefix = settings->device_prefix,
                                  .pacing = settings->pacing,
                                  .rate = settings->rate,
                                  .ramp_up_us = settings->ramp_up_us,
                                  .count = settings->count,
                                  .burst_size = (uint32_t)settings->burst_size,
                                  .clock_step_us = settings->shape == PAYLOAD_SPARKPLUG ? 1000 : 1,
                                  .has_fixed_clock = settings->has_fixed_clock,
                                  .fixed_clock_us = settings->fixed_clock_us,
                                  .emitter = &run->emitter,
                                  .publishers = &run->publishers,
                                  .report = &run->report};

    settings->rules.ranges = &settings->ranges;
    config.rules = settings->rules;
    fleet_init(&run->fleet, &config);
    run->source = fleet_source(&run->fleet);
    run->is_flat_out = settings->pacing == FLEET_FLAT_OUT;
}

static bool open_source(struct run *run)
{
    if (run->settings.replay_path)
        return open_replay(run);
    open_fleet(run);
    return true;
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

/* ---- the connections ------------------------------------------------------------------------ */

static void identify(void *user, size_t which, struct publisher_identity *out)
{
    const struct run *run = user;

    identity_of(&run->settings, run->client_suffix, which, out);
}

static void on_room(void *user, size_t publisher)
{
    run_on_room(user, publisher);
}

static bool start_links(struct run *run, char *error, size_t error_bytes)
{
    const struct settings *settings = &run->settings;
    bool is_sparkplug = settings->shape == PAYLOAD_SPARKPLUG;
    const struct mqtt_link_config mqtt = {.name = "mqtt",
                                          .url = settings->mqtt_url,
                                          .keepalive_s = (uint16_t)settings->keepalive_s,
                                          .ca_file = settings->ca_file,
                                          .cert_file = settings->cert_file,
                                          .key_file = settings->key_file,
                                          .password_file = settings->mqtt_password_file,
                                          .is_v311 = settings->is_v311,
                                          .forgets = is_sparkplug,
                                          .quiet = true};
    const struct publishers_config config = {.mqtt = mqtt,
                                             .count = settings->connections,
                                             .inflight = (uint32_t)settings->inflight,
                                             .qos = (int)settings->qos,
                                             .report = &run->report,
                                             .truth = &run->truth,
                                             .nodes = is_sparkplug ? &run->nodes : NULL,
                                             .user = run,
                                             .identify = identify,
                                             .on_room = on_room};

    if (!publishers_start(&run->publishers, &run->loop, &config, error, error_bytes))
        return false;
    oversize_init(&run->oversize, &run->loop, &mqtt, &run->publishers);
    if (settings->until_stored)
        watcher_start(&run->watcher, &run->loop, &mqtt, features_of(run), &run->report, error,
                      error_bytes); /* the URL was legal above */
    return true;
}

/* ---- the run -------------------------------------------------------------------------------- */

static void init_parts(struct run *run)
{
    const struct settings *settings = &run->settings;
    const struct phase_rules rules = {.waits_for_all = !settings->replay_path &&
                                                       settings->pacing != FLEET_INTERVAL,
                                      .lingers = settings->until_stored,
                                      .duration_us = settings->duration_us,
                                      .drain_us = settings->drain_us};

    run->report = (struct report){.seed = settings->rules.seed,
                                  .qos = (int)settings->qos,
                                  .start_us = run_now_us(),
                                  .wants_visible = settings->until_stored};
    phases_start(&run->phases, &rules, run->report.start_us);
    live_line_init(&run->line);
    identity_suffix(run->client_suffix);
    emitter_init(&run->emitter, &(struct emitter_config){
                                    .topic = &settings->topic,
                                    .features = features_of(run),
                                    .faults = settings->faults,
                                    .with_seq = settings->with_seq,
                                    .shape = settings->shape,
                                    .oversized_bytes = settings->oversized_bytes,
                                    .publishers = &run->publishers,
                                    .oversize = &run->oversize,
                                    .probe = settings->until_stored ? &run->watcher.probe : NULL,
                                    .report = &run->report});
    if (settings->shape == PAYLOAD_SPARKPLUG)
        edge_nodes_init(&run->nodes,
                        &(struct edge_nodes_config){.devices = (uint32_t)settings->devices,
                                                    .connections = (uint32_t)settings->connections,
                                                    .prefix = settings->device_prefix,
                                                    .features = features_of(run),
                                                    .qos = (int)settings->qos,
                                                    .truth = &run->truth});
    uv_loop_init(&run->loop);
}

static void print_report(struct run *run)
{
    struct buffer text = {0};

    live_line_erase(&run->line);
    if (run->settings.as_json)
        report_json(&run->report, &text, run_now_us());
    else
        report_text(&run->report, &text, run_now_us());
    fputs(buffer_text(&text), stdout);
    fflush(stdout);
    buffer_release(&text);
}

static int send_all(struct run *run)
{
    char error[256];

    if (!start_links(run, error, sizeof(error)))
        return settings_reject_url("mqtt-url", run->settings.mqtt_url, error);
    run_start(run);
    uv_run(&run->loop, UV_RUN_DEFAULT);
    print_report(run);
    return outcome_is_success(&(struct outcome){.report = &run->report,
                                                .has_failed = run->has_failed,
                                                .has_connected = run->has_connected,
                                                .is_interrupted = run->is_interrupted,
                                                .failure = run->news.failure})
               ? 0
               : 1;
}

static int simulate(struct run *run)
{
    const char *truth_path = run->settings.truth_path;
    int status = 2;

    if (!descriptors_raise(run->settings.connections) || !open_source(run))
        return status;
    if (truth_open(&run->truth, truth_path, features_of(run))) {
        init_parts(run);
        status = send_all(run);
        uv_loop_close(&run->loop);
        emitter_release(&run->emitter);
        edge_nodes_release(&run->nodes);
        truth_close(&run->truth);
    } else {
        log_error("truth: %s cannot be opened: %s", truth_path, strerror(errno));
    }
    close_source(run);
    return status;
}

static int verify(const struct settings *settings)
{
    return verify_run(
        &(struct verify_config){.database_url = settings->verify_url,
                                .truth_path = settings->truth_path,
                                .topic = &settings->topic,
                                .wait_us = settings->verify_wait_us,
                                .give_up_after_ms = (uint64_t)settings->give_up_after_us / 1000,
                                .as_json = settings->as_json});
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
    if (status < 0 && run->settings.check)
        status = check_run(&run->settings);
    else if (status < 0)
        status = run->settings.verify_url ? verify(&run->settings) : simulate(run);
    settings_release(&run->settings);
    free(run);
    return status;
}
