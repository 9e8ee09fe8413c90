/* Causes first, in the order of what they take away: without the database nothing can be asked, without
 * the broker nothing is heard, without a collector nothing is stored. Sentences say what is known and not
 * more: whether devices can still deliver is not known here when only this program has lost the
 * broker, but that readings are being stored is seen in the database. */
#include "httpapi/health.h"

#include "shared/base/json_write.h"
#include "shared/base/timestamp.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define WAIT_AT_THE_BROKER "Readings wait at the broker, up to the limit of its queue"

/* ---- what the sentences rest on ------------------------------------------------------------- */

bool health_hears_database(const struct health_facts *facts)
{
    return facts->is_database_up && facts->database_heard_us > 0 &&
           facts->now_us - facts->database_heard_us < HEALTH_GRACE_US;
}

/* Batches still come into the database, since this moment. */
static bool is_storing(const struct health_facts *facts, int64_t since_us)
{
    return health_hears_database(facts) && facts->stored_us > since_us + HEALTH_GRACE_US / 3 &&
           facts->now_us - facts->stored_us < HEALTH_STORING_US;
}

static const char *say_boards(const struct health_facts *facts)
{
    if (facts->verdict == WEIGHED_EXACT) /* for seconds, after the broker is gone */
        return "The boards are of a moment ago.";
    if (health_hears_database(facts))
        return "The boards come from the database, with all that is stored.";
    return facts->boards_us > 0 ? "The boards stand still as of their last moment."
                                : "There are no boards to show.";
}

/* What of them are there, and in which state; `last` is the one that changed last. */
struct census {
    size_t there;
    size_t live;
    size_t warming;
    size_t gone; /* without having been stopped */
    const struct health_collector *last;
    const struct health_collector *last_gone;
    const struct health_collector *without_store;
    const struct health_collector *without_source;
    const struct health_collector *loading;
};

static bool is_later(const struct health_collector *one, const struct health_collector *than)
{
    return !than || one->since_us > than->since_us;
}

static void take_census(struct census *out, const struct health_facts *facts)
{
    *out = (struct census){0};
    for (size_t i = 0; i < facts->count; i++) {
        const struct health_collector *one = &facts->collectors[i];

        if (is_later(one, out->last))
            out->last = one;
        if (!one->is_there) {
            out->gone += one->state != COLLECTOR_STOPPED;
            if (one->state != COLLECTOR_STOPPED && is_later(one, out->last_gone))
                out->last_gone = one;
            continue;
        }
        out->there++;
        out->live += one->state == COLLECTOR_LIVE;
        out->warming += one->state == COLLECTOR_WARMING;
        if (one->lacks == COLLECTOR_LACKS_STORE)
            out->without_store = one;
        else if (one->lacks == COLLECTOR_LACKS_SOURCE)
            out->without_source = one;
        if (one->state == COLLECTOR_WARMING)
            out->loading = one;
    }
}

/* ---- writing them down ---------------------------------------------------------------------- */

static struct health_trouble *add(struct health *health, enum health_level level, const char *code,
                                  int64_t since_us, const char *title)
{
    struct health_trouble *trouble = &health->troubles[health->count];

    if (health->count < HEALTH_TROUBLES_MAX - 1) /* else the last is written over */
        health->count++;
    *trouble = (struct health_trouble){.code = code, .level = level, .since_us = since_us};
    snprintf(trouble->title, sizeof(trouble->title), "%s", title);
    if (level > health->level)
        health->level = level;
    return trouble;
}

__attribute__((format(printf, 2, 3))) static void say(char text[HEALTH_TEXT_SIZE],
                                                      const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(text, HEALTH_TEXT_SIZE, format, args);
    va_end(args);
}

/* ---- the database --------------------------------------------------------------------------- */

static void say_without_database(struct health_trouble *trouble, const struct health_facts *facts,
                                 const struct census *census)
{
    const char *boards =
        facts->boards_us > 0
            ? "The boards stand still as of their last moment; devices, histograms "
              "and history may not be answered."
            : "There is nothing to show until it is back.";

    if (facts->is_broker_up && census->without_store)
        say(trouble->meaning,
            "Nothing is stored. " WAIT_AT_THE_BROKER ", and are stored when it is "
            "back. %s",
            boards);
    else if (facts->is_broker_up && census->live > 0)
        say(trouble->meaning,
            "The collector says that it stores: perhaps only httpapi is cut off. "
            "%s",
            boards);
    else
        say(trouble->meaning, "%s", boards);
}

static void judge_database(struct health *health, const struct health_facts *facts,
                           const struct census *census)
{
    struct health_trouble *trouble;

    if (!facts->is_database_up) {
        trouble = add(health, HEALTH_BROKEN, "database_away", facts->database_heard_us,
                      "The database is away");
        say_without_database(trouble, facts, census);
        say(trouble->action,
            "Start PostgreSQL, or look at DATABASE_URL and the network. /readyz of "
            "httpapi, and its log, name the reason.");
    } else if (facts->is_database_unfit) {
        trouble = add(health, HEALTH_BROKEN, "database_unfit", 0, "The database cannot be used");
        say(trouble->meaning,
            "It answers, but tables or rights lack, or are of another version: nothing that "
            "needs them can be asked for.");
        say(trouble->action,
            "Where there are no tables yet, start a collector or run collector "
            "--migrate. Else /readyz of httpapi names the right or the version that lacks.");
    } else if (!health_hears_database(facts)) {
        trouble = add(health, HEALTH_BROKEN, "database_silent", facts->database_heard_us,
                      "The database does not answer");
        say_without_database(trouble, facts, census);
        say(trouble->action,
            "It is connected and says nothing: look at its load, its locks, its disk and the "
            "network.");
    } else if (facts->is_standby && facts->replayed_us > 0 &&
               facts->now_us - facts->replayed_us > HEALTH_BEHIND_US) {
        trouble = add(health, HEALTH_WARNING, "standby_behind", facts->replayed_us,
                      "The standby is behind");
        say(trouble->meaning,
            "All answers are as of what it has replayed; nothing later is shown.");
        say(trouble->action, "Look at its replication, and whether a collector stores into the "
                             "primary (pg_stat_wal_receiver, pg_stat_replication).");
    }
}

/* ---- the broker ----------------------------------------------------------------------------- */

static void judge_broker(struct health *health, const struct health_facts *facts)
{
    struct health_trouble *trouble;

    if (!facts->is_broker_up) {
        trouble =
            add(health, HEALTH_BROKEN, "broker_away", facts->broker_since_us, "The broker is away");
        say(trouble->meaning, "%s %s",
            is_storing(facts, facts->broker_since_us)
                ? "Only httpapi has lost it: readings are still being stored."
                : "Unless only httpapi is cut off from it, devices cannot deliver, and what they "
                  "do not keep themselves is lost.",
            say_boards(facts));
        say(trouble->action,
            "Start the broker, or look at MQTT_URL and the network: the log of httpapi "
            "names the reason.");
    } else if (facts->is_refused) {
        trouble = add(health, HEALTH_WARNING, "broker_refuses", 0, "The broker refuses something");
        say(trouble->meaning,
            "It is there, and does not let httpapi hear all that collectors publish, or ends "
            "its connections. %s",
            say_boards(facts));
        say(trouble->action,
            "/readyz of httpapi names what is refused; it has to be allowed there.");
    }
}

/* ---- the collectors ------------------------------------------------------------------------- */

static const char *one_or_all(const struct health_facts *facts, const char *one, const char *all)
{
    return facts->count == 1 ? one : all;
}

/* Who said that he ends stores nothing; of one that is not heard the database would tell, if it is. */
static void say_not_stored(struct health_trouble *trouble, const struct health_facts *facts,
                           bool is_certain, const char *if_storing)
{
    if (is_storing(facts, trouble->since_us))
        say(trouble->meaning, "%s %s", if_storing, say_boards(facts));
    else if (!is_certain && !health_hears_database(facts))
        say(trouble->meaning,
            "Whether anything is stored is not known here, for the database is not heard either: "
            "perhaps only httpapi is cut off. What is not stored waits at the broker, up to the "
            "limit of its queue. %s",
            say_boards(facts));
    else
        say(trouble->meaning, "Nothing is stored. " WAIT_AT_THE_BROKER ", until it is back. %s",
            say_boards(facts));
}

/* None of them is there. */
static void judge_absence(struct health *health, const struct health_facts *facts,
                          const struct health_collector *last)
{
    struct health_trouble *trouble;

    if (last->state == COLLECTOR_STOPPED) {
        trouble = add(health, HEALTH_BROKEN, "collector_stopped", last->since_us,
                      one_or_all(facts, "The collector was stopped", "All collectors are gone"));
        say_not_stored(trouble, facts, true,
                       "Yet readings are being stored, by one that is not heard.");
        say(trouble->action, "Start it again: \"%s\" ended in order.", last->id);
    } else if (last->state == COLLECTOR_LOST) {
        trouble =
            add(health, HEALTH_BROKEN, "collector_lost", last->since_us,
                one_or_all(facts, "The collector ended unexpectedly", "All collectors are gone"));
        say_not_stored(trouble, facts, false,
                       "Yet it stores: only what it publishes does not arrive.");
        say(trouble->action, "Look at the end of the log of \"%s\", and start it again.", last->id);
    } else {
        trouble = add(health, HEALTH_BROKEN, "collector_silent", last->since_us,
                      one_or_all(facts, "The collector is silent", "All collectors are silent"));
        say_not_stored(trouble, facts, false,
                       "Yet it stores: only what it publishes does not arrive.");
        say(trouble->action,
            "See whether \"%s\" hangs, and whether it can reach the broker: its log "
            "and its /readyz say so.",
            last->id);
    }
}

static void judge_nobody(struct health *health, const struct health_facts *facts)
{
    struct health_trouble *trouble;

    if (facts->now_us - facts->broker_since_us < HEALTH_GRACE_US) {
        trouble = add(health, HEALTH_WARNING, "listening", facts->broker_since_us,
                      "Waiting for collectors");
        say(trouble->meaning, "httpapi has only just reached the broker. %s", say_boards(facts));
        say(trouble->action, "Nothing: it takes seconds.");
    } else if (facts->has_strangers) {
        trouble =
            add(health, HEALTH_BROKEN, "other_database", 0, "The collector is of another database");
        say(trouble->meaning, "A collector is heard, but the database of httpapi does not know it: "
                              "what it stores is not shown.");
        say(trouble->action, "Compare DATABASE_URL and MQTT_URL of httpapi and of the collector.");
    } else if (facts->known > 0) {
        trouble = add(health, HEALTH_BROKEN, "no_collector", 0, "No collector is heard");
        say_not_stored(trouble, facts, false,
                       "Yet readings are being stored: perhaps the collector has "
                       "another broker than httpapi.");
        say(trouble->action, "Start a collector, or compare MQTT_URL of httpapi and of the "
                             "collector.");
    } else {
        trouble = add(health, HEALTH_BROKEN, "no_collector", 0, "There is no collector");
        say(trouble->meaning, "Nothing is stored: none was ever heard of, and nobody takes what "
                              "devices send.");
        say(trouble->action, "Start one: collector, with DATABASE_URL and MQTT_URL as httpapi has "
                             "them.");
    }
}

/* At least one is there. */
static void judge_presence(struct health *health, const struct health_facts *facts,
                           const struct census *census)
{
    bool is_partial = census->live > 0;
    struct health_trouble *trouble;

    if (census->without_store && health_hears_database(facts)) {
        const struct health_collector *one = census->without_store;

        trouble = add(health, HEALTH_BROKEN, "store_stands",
                      one->uncommitted_us > 0 ? one->uncommitted_us : one->since_us,
                      "The store stands still");
        say(trouble->meaning,
            "Readings that \"%s\" receives are not committed. The broker keeps "
            "them until they are, up to the limit of its queue; no answer has "
            "them yet.",
            one->id);
        say(trouble->action,
            "httpapi hears the database: look for a lock that is held, a full disk, "
            "a lost right. /readyz of the collector, and its log, name the reason.");
    }
    if (census->without_source) {
        trouble = add(health, is_partial ? HEALTH_WARNING : HEALTH_BROKEN, "source_away",
                      census->without_source->since_us, "The collector hears no devices");
        say(trouble->meaning,
            "\"%s\" publishes, but its connection for readings is down. " WAIT_AT_THE_BROKER ".",
            census->without_source->id);
        say(trouble->action, "/readyz of the collector, and its log, say why; often another client "
                             "connects with its id.");
    }
    if (census->loading) {
        trouble = add(health, HEALTH_WARNING, "collector_warming", census->loading->since_us,
                      "A collector is warming up");
        say(trouble->meaning, "\"%s\" loads its windows from the database. %s", census->loading->id,
            say_boards(facts));
        say(trouble->action, "Nothing: it takes seconds.");
    }
    if (census->gone > 0) {
        trouble = add(health, HEALTH_WARNING, "collectors_missing", census->last_gone->since_us,
                      "Not all collectors are there");
        say(trouble->meaning,
            "%zu of %zu, \"%s\" the last, ended unexpectedly or says nothing. What "
            "only it subscribes to waits at the broker.",
            census->gone, facts->count, census->last_gone->id);
        say(trouble->action, "Look at its log, and start it again. One that is not to come back: "
                             "publish an empty retained message to collectors/<its id>/status.");
    }
}

static void judge_boards(struct health *health, const struct health_facts *facts)
{
    struct health_trouble *trouble;

    if (health->count > 0 || facts->is_standby || facts->verdict == WEIGHED_EXACT ||
        facts->now_us - facts->boards_us < HEALTH_GRACE_US)
        return;
    trouble = add(health, HEALTH_WARNING, "boards_uncovered", facts->boards_us,
                  "The boards come from the database");
    say(trouble->meaning,
        "They are whole and just as right, once a second. The collectors' own are "
        "not used: %s.",
        weighing_verdict_text(facts->verdict));
    say(trouble->action, "If it lasts, look at System for a collector that is not there.");
}

/* Who was stopped in order beside others that go on was meant to be. */
static void judge_collectors(struct health *health, const struct health_facts *facts,
                             const struct census *census)
{
    if (facts->count == 0)
        judge_nobody(health, facts);
    else if (census->there == 0)
        judge_absence(health, facts, census->last_gone ? census->last_gone : census->last);
    else
        judge_presence(health, facts, census);
}

/* ---- all of it ------------------------------------------------------------------------------ */

static void put_worst_first(struct health *health)
{
    for (size_t i = 0; i < health->count; i++) {
        if (health->troubles[i].level == health->level) {
            struct health_trouble worst = health->troubles[i];

            memmove(health->troubles + 1, health->troubles, i * sizeof(worst));
            health->troubles[0] = worst;
            return;
        }
    }
}

void health_judge(struct health *out, const struct health_facts *facts)
{
    struct census census;

    *out = (struct health){0};
    take_census(&census, facts);
    judge_database(out, facts, &census);
    judge_broker(out, facts);
    if (facts->is_broker_up)
        judge_collectors(out, facts, &census);
    judge_boards(out, facts);
    put_worst_first(out);
}

const char *health_level_text(enum health_level level)
{
    static const char *const texts[] = {"ok", "warning", "broken"};

    return texts[level];
}

static void put_trouble(struct buffer *out, const struct health_trouble *trouble)
{
    char when[TIMESTAMP_TEXT_SIZE];

    buffer_printf(out, "{\"code\":\"%s\",\"level\":\"%s\",\"since\":", trouble->code,
                  health_level_text(trouble->level));
    if (trouble->since_us > 0) {
        timestamp_format(when, trouble->since_us);
        buffer_printf(out, "\"%s\"", when);
    } else {
        buffer_put_text(out, "null");
    }
    buffer_put_text(out, ",\"title\":");
    json_write_string(out, trouble->title);
    buffer_put_text(out, ",\"meaning\":");
    json_write_string(out, trouble->meaning);
    buffer_put_text(out, ",\"action\":");
    json_write_string(out, trouble->action);
    buffer_put_text(out, "}");
}

void health_write(struct buffer *out, const struct health *health)
{
    buffer_printf(out, "{\"level\":\"%s\",\"worst\":", health_level_text(health->level));
    if (health->count > 0)
        put_trouble(out, &health->troubles[0]);
    else
        buffer_put_text(out, "null");
    buffer_put_text(out, ",\"others\":[");
    for (size_t i = 1; i < health->count; i++) {
        buffer_put_text(out, i > 1 ? "," : "");
        put_trouble(out, &health->troubles[i]);
    }
    buffer_put_text(out, "]}");
}
