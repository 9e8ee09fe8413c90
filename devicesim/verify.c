/* The whole ledger fits into memory, so that each table is read once and nothing is asked for one
 * reading at a time. */
#include "devicesim/verify.h"

#include "devicesim/gz_lines.h"
#include "devicesim/ledger.h"
#include "devicesim/stored.h"
#include "devicesim/truth_reader.h"
#include "devicesim/verdict.h"
#include "shared/base/buffer.h"
#include "shared/base/log.h"
#include "shared/net/pg_session.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { LOOK_AGAIN_MS = 200 };

struct verify {
    struct verify_config config;
    PGconn *conn;
    struct ledger ledger;
    struct verdict verdict;
};

/* ---- the file ------------------------------------------------------------------------------- */

/* A line that is none is forgiven where a kill could have cut it off: at the end of a run, which is
 * the end of the file or the header of the next run. What it was about had not been published. */
static bool read_lines(struct verify *verify, struct truth_reader *reader, struct gz_lines *lines)
{
    char error[TRUTH_READER_ERROR_SIZE] = "";
    uint64_t torn_line = 0;
    char *line;

    while ((line = gz_lines_next(lines))) {
        if (torn_line > 0 && strncmp(line, "event,", 6) != 0) {
            log_error("verify: %s, line %" PRIu64 ": %s", verify->config.truth_path, torn_line,
                      error);
            return false;
        }
        torn_line = truth_reader_apply(reader, line, error) ? 0 : lines->line;
    }
    return true;
}

static bool read_truth(struct verify *verify)
{
    const char *path = verify->config.truth_path;
    struct truth_reader reader;
    struct gz_lines lines = {0};
    bool good;

    if (!gz_lines_open(&lines, path)) {
        log_error("verify: %s cannot be read: %s", path, gz_lines_failure(&lines));
        return false;
    }
    truth_reader_init(&reader, &verify->ledger);
    good = read_lines(verify, &reader, &lines);
    if (good && gz_lines_failure(&lines)) {
        log_error("verify: %s, after line %" PRIu64 ": %s", path, lines.line,
                  gz_lines_failure(&lines));
        good = false;
    } else if (good && reader.column_count == 0) {
        log_error("verify: %s is not a file of truth", path);
        good = false;
    }
    if (good && reader.ignored[0])
        log_warning("verify: %s is not compared: the store does not keep it", reader.ignored);
    truth_reader_release(&reader);
    gz_lines_close(&lines);
    return good;
}

/* ---- comparing ------------------------------------------------------------------------------ */

static int64_t monotonic_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* One look at the whole store. */
static bool look(struct verify *verify, FILE *examples)
{
    verdict_start(&verify->verdict, &verify->ledger, examples);
    if (!stored_readings(verify->conn, &verify->verdict) ||
        !stored_rejections(verify->conn, &verify->verdict, verify->config.topic))
        return false;
    verdict_conclude(&verify->verdict);
    return true;
}

static bool compare(struct verify *verify)
{
    const struct timespec pause = {.tv_nsec = LOOK_AGAIN_MS * 1000000L};
    int64_t end_us = monotonic_us() + verify->config.wait_us;
    struct features features;

    if (!stored_features(verify->conn, &features))
        return false;
    ledger_init(&verify->ledger, &features);
    if (!read_truth(verify))
        return false;
    for (;;) {
        if (!look(verify, NULL))
            return false;
        if (verdict_mismatches(&verify->verdict) == 0)
            return true;
        if (monotonic_us() >= end_us)
            return look(verify, stderr);
        nanosleep(&pause, NULL);
    }
}

static void print_verdict(const struct verify *verify)
{
    struct buffer text = {0};

    if (verify->config.as_json)
        verdict_put_json(&verify->verdict, &text);
    else
        verdict_put_text(&verify->verdict, &text);
    fputs(buffer_text(&text), stdout);
    buffer_release(&text);
}

int verify_run(const struct verify_config *config)
{
    const struct pg_session session = {.reads_only = true};
    struct verify verify = {.config = *config};
    char reason[320];
    int status = 2;

    verify.conn = pg_session_open(config->database_url, "highwater verify", &session,
                                  config->give_up_after_ms, reason, sizeof(reason));
    if (!verify.conn) {
        log_error("verify: %s", reason);
    } else if (stored_is_readable(verify.conn) && compare(&verify)) {
        print_verdict(&verify);
        status = verdict_mismatches(&verify.verdict) == 0 ? 0 : 1;
    }
    ledger_release(&verify.ledger);
    pg_session_close(verify.conn);
    return status;
}
