/* Each row is one state of things; every sentence is held against the facts of its row. */
#include "httpapi/health.h"

#include "shared/base/buffer.h"
#include "shared/model/json_token.h"
#include "shared/model/json_walk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define NOW INT64_C(1795521600000000)
#define S INT64_C(1000000)
#define AGO(s) (NOW - (s) * S)

#define LIVE {.id = "c", .state = COLLECTOR_LIVE, .is_there = true, .since_us = AGO(900)}

/* What is not as it should be; seconds ago, and 0 is well. */
struct given {
    int broker_away;
    int broker_up; /* for so long only */
    int database_away;
    int database_silent;
    bool never_heard; /* the database, and so nothing is known of it */
    int stored;
    enum weighing_verdict verdict;
    int boards;
    bool none_known;
    bool strangers;
    int replayed;
    bool is_refused;
    bool is_unfit;
};

static const struct health_case {
    const char *name;
    struct given given;
    struct health_collector collectors[3];
    size_t count;
    enum health_level level;
    const char *codes; /* of all troubles, the worst first */
    int64_t since_us;  /* of the worst */
    const char *says;  /* in its title, meaning or action */
    const char *also;
    const char *never; /* in any of all three */
} cases[] = {
    {"all is well", {0}, {LIVE}, 1, HEALTH_OK, "", 0, NULL, NULL, NULL},
    {"a fleet that is silent is not broken",
     {.stored = 900},
     {LIVE},
     1,
     HEALTH_OK,
     "",
     0,
     NULL,
     NULL,
     NULL},
    {"the broker, and with it the devices",
     {.broker_away = 60, .verdict = WEIGHED_NOT_LIVE, .boards = 60, .stored = 59},
     {{.id = "c", .state = COLLECTOR_LIVE, .since_us = AGO(60)}},
     1,
     HEALTH_BROKEN,
     "broker_away",
     AGO(60),
     "devices cannot deliver",
     "come from the database",
     "collector"},
    {"the broker, for httpapi alone",
     {.broker_away = 60, .verdict = WEIGHED_NOT_LIVE, .boards = 60},
     {{.id = "c", .state = COLLECTOR_LIVE, .since_us = AGO(60)}},
     1,
     HEALTH_BROKEN,
     "broker_away",
     AGO(60),
     "Only httpapi has lost it",
     "still being stored",
     "cannot deliver"},
    {"the broker took a last batch along: that is no storing",
     {.broker_away = 2, .stored = 2},
     {LIVE},
     1,
     HEALTH_BROKEN,
     "broker_away",
     AGO(2),
     "devices cannot deliver",
     "of a moment ago",
     "Only httpapi has"},
    {"the database, and the collector says so",
     {.database_away = 60, .verdict = WEIGHED_UNKNOWN, .boards = 60},
     {{.id = "c",
       .state = COLLECTOR_DEGRADED,
       .lacks = COLLECTOR_LACKS_STORE,
       .is_there = true,
       .since_us = AGO(59)}},
     1,
     HEALTH_BROKEN,
     "database_away",
     AGO(60),
     "wait at the broker",
     "stand still",
     "come from the database"},
    {"the database, for httpapi alone",
     {.database_away = 60, .verdict = WEIGHED_UNKNOWN, .boards = 60},
     {LIVE},
     1,
     HEALTH_BROKEN,
     "database_away",
     AGO(60),
     "only httpapi is cut off",
     "/readyz",
     "Nothing is stored"},
    {"the database since the start: nothing to show",
     {.never_heard = true, .verdict = WEIGHED_UNKNOWN},
     {LIVE},
     1,
     HEALTH_BROKEN,
     "database_away",
     0,
     "nothing to show",
     NULL,
     "stand still"},
    {"the database is connected and says nothing",
     {.database_silent = 10, .verdict = WEIGHED_UNKNOWN, .boards = 11, .stored = 11},
     {{.id = "c",
       .state = COLLECTOR_LIVE,
       .lacks = COLLECTOR_LACKS_STORE,
       .is_there = true,
       .since_us = AGO(7)}},
     1,
     HEALTH_BROKEN,
     "database_silent",
     AGO(10),
     "Nothing is stored",
     "stand still",
     "come from the database"},
    {"neither broker nor database",
     {.database_away = 60, .broker_away = 60, .verdict = WEIGHED_UNKNOWN, .boards = 61},
     {{.id = "c", .state = COLLECTOR_LIVE, .since_us = AGO(60)}},
     1,
     HEALTH_BROKEN,
     "database_away broker_away",
     AGO(60),
     "stand still",
     NULL,
     "collector"},
    {"a right lacks",
     {.is_unfit = true},
     {LIVE},
     1,
     HEALTH_BROKEN,
     "database_unfit",
     0,
     "rights lack",
     "--migrate",
     NULL},
    {"a standby is behind",
     {.replayed = 90, .verdict = WEIGHED_NOT_LIVE, .boards = 60},
     {LIVE},
     1,
     HEALTH_WARNING,
     "standby_behind",
     AGO(90),
     "replayed",
     NULL,
     NULL},
    {"a standby that follows",
     {.replayed = 1, .verdict = WEIGHED_NOT_LIVE, .boards = 60},
     {LIVE},
     1,
     HEALTH_OK,
     "",
     0,
     NULL,
     NULL,
     NULL},
    {"the broker refuses a subscription",
     {.is_refused = true},
     {LIVE},
     1,
     HEALTH_WARNING,
     "broker_refuses",
     0,
     "does not let httpapi hear",
     NULL,
     NULL},
    {"the collector was stopped",
     {.verdict = WEIGHED_NOT_LIVE, .boards = 60, .stored = 31},
     {{.id = "c", .state = COLLECTOR_STOPPED, .since_us = AGO(30)}},
     1,
     HEALTH_BROKEN,
     "collector_stopped",
     AGO(30),
     "was stopped",
     "wait at the broker",
     "unexpectedly"},
    {"it was stopped a moment ago, and its last batch is seen",
     {.verdict = WEIGHED_NOT_LIVE, .boards = 60, .stored = 1},
     {{.id = "c", .state = COLLECTOR_STOPPED, .since_us = AGO(2)}},
     1,
     HEALTH_BROKEN,
     "collector_stopped",
     AGO(2),
     "Nothing is stored",
     NULL,
     "are being stored"},
    {"the collector was killed",
     {.verdict = WEIGHED_NOT_LIVE, .boards = 60, .stored = 31},
     {{.id = "c", .state = COLLECTOR_LOST, .since_us = AGO(30)}},
     1,
     HEALTH_BROKEN,
     "collector_lost",
     AGO(30),
     "ended unexpectedly",
     "wait at the broker",
     "was stopped"},
    {"only its voice is lost",
     {.verdict = WEIGHED_NOT_LIVE, .boards = 60},
     {{.id = "c", .state = COLLECTOR_LOST, .since_us = AGO(30)}},
     1,
     HEALTH_BROKEN,
     "collector_lost",
     AGO(30),
     "Yet it stores",
     NULL,
     "Nothing is stored"},
    {"the collector hangs",
     {.verdict = WEIGHED_NOT_LIVE, .boards = 60, .stored = 31},
     {{.id = "c", .state = COLLECTOR_LIVE, .since_us = AGO(30)}},
     1,
     HEALTH_BROKEN,
     "collector_silent",
     AGO(30),
     "is silent",
     "hangs",
     "was stopped"},
    {"the collector and the database are not heard: all there is may be on the other side",
     {.database_silent = 10, .verdict = WEIGHED_NOT_LIVE, .boards = 60, .stored = 10},
     {{.id = "c", .state = COLLECTOR_LIVE, .since_us = AGO(9)}},
     1,
     HEALTH_BROKEN,
     "database_silent collector_silent",
     AGO(10),
     "does not answer",
     "stand still",
     "Nothing is stored"},
    {"the collector was stopped, and the database is not heard",
     {.database_silent = 10, .verdict = WEIGHED_NOT_LIVE, .boards = 60, .stored = 10},
     {{.id = "c", .state = COLLECTOR_STOPPED, .since_us = AGO(9)}},
     1,
     HEALTH_BROKEN,
     "database_silent collector_stopped",
     AGO(10),
     "does not answer",
     "stand still",
     "is not known"},
    {"all of two are gone, one of them killed",
     {.verdict = WEIGHED_NOT_LIVE, .boards = 60, .stored = 31},
     {{.id = "b", .state = COLLECTOR_STOPPED, .since_us = AGO(20)},
      {.id = "c", .state = COLLECTOR_LOST, .since_us = AGO(30)}},
     2,
     HEALTH_BROKEN,
     "collector_lost",
     AGO(30),
     "All collectors are gone",
     "\"c\"",
     "The collector ended"},
    {"one of two is gone",
     {0},
     {LIVE, {.id = "b", .state = COLLECTOR_LOST, .since_us = AGO(20)}},
     2,
     HEALTH_WARNING,
     "collectors_missing",
     AGO(20),
     "1 of 2",
     "\"b\"",
     "Nothing is stored"},
    {"one of two was stopped, as somebody wants it",
     {0},
     {LIVE, {.id = "b", .state = COLLECTOR_STOPPED, .since_us = AGO(20)}},
     2,
     HEALTH_OK,
     "",
     0,
     NULL,
     NULL,
     NULL},
    {"none was ever there",
     {.verdict = WEIGHED_NOT_LIVE, .boards = 60, .none_known = true},
     {{0}},
     0,
     HEALTH_BROKEN,
     "no_collector",
     0,
     "none was ever heard of",
     NULL,
     "wait at the broker"},
    {"one is known and none is heard",
     {.verdict = WEIGHED_NOT_LIVE, .boards = 60, .stored = 900},
     {{0}},
     0,
     HEALTH_BROKEN,
     "no_collector",
     0,
     "No collector is heard",
     NULL,
     "ever"},
    {"httpapi has just reached the broker",
     {.verdict = WEIGHED_NOT_LIVE, .boards = 60, .broker_up = 1},
     {{0}},
     0,
     HEALTH_WARNING,
     "listening",
     AGO(1),
     "takes seconds",
     NULL,
     "ever heard"},
    {"the collector is of another database",
     {.verdict = WEIGHED_NOT_LIVE, .boards = 60, .none_known = true, .strangers = true},
     {{0}},
     0,
     HEALTH_BROKEN,
     "other_database",
     0,
     "does not know it",
     NULL,
     NULL},
    {"the store stands before a lock",
     {.stored = 12},
     {{.id = "c",
       .state = COLLECTOR_LIVE,
       .lacks = COLLECTOR_LACKS_STORE,
       .is_there = true,
       .since_us = AGO(8),
       .uncommitted_us = AGO(12)}},
     1,
     HEALTH_BROKEN,
     "store_stands",
     AGO(12),
     "not committed",
     "lock",
     "is away"},
    {"the collector is without its devices",
     {.verdict = WEIGHED_NOT_LIVE, .boards = 60},
     {{.id = "c",
       .state = COLLECTOR_DEGRADED,
       .lacks = COLLECTOR_LACKS_SOURCE,
       .is_there = true,
       .since_us = AGO(8)}},
     1,
     HEALTH_BROKEN,
     "source_away",
     AGO(8),
     "connection for readings",
     NULL,
     NULL},
    {"the collector warms up",
     {.verdict = WEIGHED_WARMING},
     {{.id = "c", .state = COLLECTOR_WARMING, .is_there = true, .since_us = AGO(4)}},
     1,
     HEALTH_WARNING,
     "collector_warming",
     AGO(4),
     "loads its windows",
     "come from the database",
     "Nothing is stored"},
    {"boards do not cover what a retired one has stored",
     {.verdict = WEIGHED_UNCOVERED, .boards = 40},
     {LIVE},
     1,
     HEALTH_WARNING,
     "boards_uncovered",
     AGO(40),
     "just as right",
     NULL,
     NULL},
    {"for a moment boards are apart",
     {.verdict = WEIGHED_APART},
     {LIVE},
     1,
     HEALTH_OK,
     "",
     0,
     NULL,
     NULL,
     NULL},
    {"a warning steps back behind what is broken",
     {.verdict = WEIGHED_NOT_LIVE, .boards = 60, .is_refused = true, .stored = 31},
     {{.id = "c", .state = COLLECTOR_LOST, .since_us = AGO(30)}},
     1,
     HEALTH_BROKEN,
     "collector_lost broker_refuses",
     AGO(30),
     "unexpectedly",
     NULL,
     NULL},
};

static int64_t ago(int given, int well)
{
    return AGO(given > 0 ? given : well);
}

static struct health_facts facts_of(const struct given *given)
{
    return (struct health_facts){
        .now_us = NOW,
        .is_broker_up = given->broker_away == 0,
        .broker_since_us =
            given->broker_up > 0 ? AGO(given->broker_up) : ago(given->broker_away, 1000),
        .is_refused = given->is_refused,
        .is_database_up = given->database_away == 0 && !given->never_heard,
        .database_heard_us = given->never_heard         ? 0
                             : given->database_away > 0 ? AGO(given->database_away)
                                                        : ago(given->database_silent, 1),
        .is_database_unfit = given->is_unfit,
        .is_standby = given->replayed > 0,
        .replayed_us = ago(given->replayed, 1),
        .stored_us = given->never_heard ? 0 : ago(given->stored, 1),
        .known = given->none_known || given->never_heard ? 0 : 2,
        .has_strangers = given->strangers,
        .verdict = given->verdict,
        .boards_us = given->never_heard || given->none_known ? 0 : ago(given->boards, 1)};
}

static bool has(const struct health_trouble *trouble, const char *words)
{
    return strstr(trouble->title, words) || strstr(trouble->meaning, words) ||
           strstr(trouble->action, words);
}

static void check(const struct health_case *one, const struct health *health)
{
    struct buffer codes = {0};

    for (size_t i = 0; i < health->count; i++)
        buffer_printf(&codes, "%s%s", i > 0 ? " " : "", health->troubles[i].code);
    assert_string_equal(buffer_text(&codes), one->codes);
    assert_int_equal(health->level, one->level);
    buffer_release(&codes);
    if (health->count == 0)
        return;
    assert_int_equal(health->troubles[0].since_us, one->since_us);
    if (one->says)
        assert_true(has(&health->troubles[0], one->says));
    if (one->also)
        assert_true(has(&health->troubles[0], one->also));
    for (size_t i = 0; i < health->count; i++) {
        assert_true(health->troubles[i].title[0] && health->troubles[i].meaning[0] &&
                    health->troubles[i].action[0]);
        assert_true(strlen(health->troubles[i].meaning) < HEALTH_TEXT_SIZE - 1);
        if (one->never)
            assert_false(has(&health->troubles[i], one->never));
    }
}

static void test_health__each_state_is_told_as_it_is(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct health_facts facts = facts_of(&cases[i].given);
        struct health health;

        facts.collectors = cases[i].collectors;
        facts.count = cases[i].count;
        print_message("  %s\n", cases[i].name);
        health_judge(&health, &facts);
        check(&cases[i], &health);
    }
}

static void test_health__more_troubles_than_there_is_room_for(void **state)
{
    struct health_collector collectors[40];
    struct health_facts facts = facts_of(&(struct given){.broker_away = 60, .database_away = 60});
    struct health health;

    (void)state;
    facts.collectors = collectors;
    facts.count = 40;
    for (size_t i = 0; i < 40; i++)
        collectors[i] =
            (struct health_collector){.id = "x", .state = (enum collector_state)(i % 6)};
    for (int lacks = 0; lacks < 3; lacks++) {
        for (size_t i = 0; i < 40; i++) {
            collectors[i].is_there = i % 2;
            collectors[i].lacks = (enum collector_lack)lacks;
        }
        facts.is_broker_up = lacks > 0;
        health_judge(&health, &facts);
        assert_in_range(health.count, 1, HEALTH_TROUBLES_MAX);
        assert_int_equal(health.troubles[0].level, HEALTH_BROKEN);
    }
}

/* Whatever others say: the text is JSON, and no more than it may be. */
static void test_health__what_is_written_is_json(void **state)
{
    char id[DEVICE_ID_SIZE];
    struct health_collector one = {.id = id, .state = COLLECTOR_LOST, .since_us = AGO(3)};
    const struct health_collector live = LIVE;
    struct health_facts facts = facts_of(&(struct given){.database_away = 60});
    struct buffer out = {0};
    struct health health;
    struct json_token root;

    (void)state;
    memset(id, '"', sizeof(id) - 1);
    id[sizeof(id) - 1] = '\0';
    facts.collectors = &one;
    facts.count = 1;
    health_judge(&health, &facts);
    health_write(&out, &health);
    assert_int_equal(json_walk_open(&root, buffer_text(&out), out.bytes), JSON_OK);
    assert_non_null(
        strstr(buffer_text(&out), "{\"level\":\"broken\",\"worst\":{\"code\":\"database_away\""));
    assert_non_null(strstr(buffer_text(&out), "\"since\":\"2026-11-24T"));
    assert_non_null(strstr(buffer_text(&out), "{\"code\":\"collector_lost\""));
    buffer_release(&out);
    facts = facts_of(&(struct given){0});
    facts.collectors = &live;
    facts.count = 1;
    health_judge(&health, &facts);
    health_write(&out, &health);
    assert_string_equal(buffer_text(&out), "{\"level\":\"ok\",\"worst\":null,\"others\":[]}");
    buffer_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_health__each_state_is_told_as_it_is),
        cmocka_unit_test(test_health__more_troubles_than_there_is_room_for),
        cmocka_unit_test(test_health__what_is_written_is_json),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
