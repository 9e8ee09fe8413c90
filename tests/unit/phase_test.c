#include "devicesim/phase.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { SECOND_US = 1000000 };

static struct phases in_phase(enum phase phase, const struct phase_rules *rules)
{
    struct phases phases;

    phases_start(&phases, rules, 0);
    if (phase != PHASE_CONNECTING)
        phases_enter(&phases, phase, SECOND_US);
    return phases;
}

static void test_phase__a_run_goes_from_phase_to_phase(void **state)
{
    static const struct {
        const char *name;
        enum phase now; /* since second 1; connecting since second 0 */
        struct phase_rules rules;
        struct phase_facts facts;
        enum phase next;
    } cases[] = {
        {"an interval does not wait", PHASE_CONNECTING, {0}, {.wanted = 9}, PHASE_SENDING},
        {"a rate waits for all",
         PHASE_CONNECTING,
         {.waits_for_all = true},
         {.wanted = 9, .connected = 8},
         PHASE_CONNECTING},
        {"all are there",
         PHASE_CONNECTING,
         {.waits_for_all = true},
         {.wanted = 9, .connected = 9},
         PHASE_SENDING},
        {"no more come, just before",
         PHASE_CONNECTING,
         {.waits_for_all = true},
         {.wanted = 9, .connected = 1, .connected_us = 7, .now_us = 7 + PHASE_STUCK_US},
         PHASE_CONNECTING},
        {"no more come",
         PHASE_CONNECTING,
         {.waits_for_all = true},
         {.wanted = 9, .connected = 1, .connected_us = 7, .now_us = 8 + PHASE_STUCK_US},
         PHASE_SENDING},
        {"none comes at all",
         PHASE_CONNECTING,
         {.waits_for_all = true},
         {.wanted = 9, .now_us = 100 * PHASE_STUCK_US},
         PHASE_CONNECTING},
        {"none comes in time",
         PHASE_CONNECTING,
         {.waits_for_all = true, .duration_us = 2 * SECOND_US},
         {.wanted = 9, .now_us = 2 * SECOND_US},
         PHASE_DRAINING},
        {"sending has no end",
         PHASE_SENDING,
         {0},
         {.now_us = INT64_C(1000000) * SECOND_US, .is_answered = true},
         PHASE_SENDING},
        {"the duration counts from the first reading",
         PHASE_SENDING,
         {.duration_us = 5 * SECOND_US},
         {.now_us = 6 * SECOND_US - 1},
         PHASE_SENDING},
        {"the duration is over",
         PHASE_SENDING,
         {.duration_us = 5 * SECOND_US},
         {.now_us = 6 * SECOND_US},
         PHASE_DRAINING},
        {"all was sent", PHASE_SENDING, {0}, {.is_done = true}, PHASE_DRAINING},
        {"not all is answered",
         PHASE_DRAINING,
         {.drain_us = 9 * SECOND_US},
         {.now_us = 9 * SECOND_US, .is_done = true},
         PHASE_DRAINING},
        {"not all is answered in time",
         PHASE_DRAINING,
         {.drain_us = 9 * SECOND_US, .lingers = true},
         {.now_us = 10 * SECOND_US, .is_done = true},
         PHASE_CLOSING},
        {"all is answered",
         PHASE_DRAINING,
         {.drain_us = 9 * SECOND_US},
         {.now_us = 2 * SECOND_US, .is_answered = true},
         PHASE_CLOSING},
        {"all is answered, and boards are looked at",
         PHASE_DRAINING,
         {.drain_us = 9 * SECOND_US, .lingers = true},
         {.now_us = 2 * SECOND_US, .is_answered = true},
         PHASE_LINGERING},
        {"the boards get a while",
         PHASE_LINGERING,
         {.lingers = true},
         {.now_us = SECOND_US + PHASE_LINGER_US - 1, .is_answered = true},
         PHASE_LINGERING},
        {"and no more",
         PHASE_LINGERING,
         {.lingers = true},
         {.now_us = SECOND_US + PHASE_LINGER_US, .is_answered = true},
         PHASE_CLOSING},
        {"closing is the last",
         PHASE_CLOSING,
         {.duration_us = 1, .drain_us = 1},
         {.now_us = INT64_C(1000) * SECOND_US, .is_done = true, .is_answered = true},
         PHASE_CLOSING},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct phases phases = in_phase(cases[i].now, &cases[i].rules);
        enum phase next = phases_next(&phases, &cases[i].facts);

        if (next != cases[i].next)
            fail_msg("%s: %d, not %d", cases[i].name, (int)next, (int)cases[i].next);
    }
}

static void test_phase__progress_is_of_the_duration_and_at_most_all_of_it(void **state)
{
    struct phases endless = in_phase(PHASE_SENDING, &(struct phase_rules){0});
    struct phases waiting =
        in_phase(PHASE_CONNECTING, &(struct phase_rules){.duration_us = 4 * SECOND_US});
    struct phases sending =
        in_phase(PHASE_SENDING, &(struct phase_rules){.duration_us = 4 * SECOND_US});

    (void)state;
    assert_true(phases_progress(&endless, 2 * SECOND_US) < 0);
    assert_true(phases_progress(&waiting, 2 * SECOND_US) < 0);
    assert_true(phases_progress(&sending, 2 * SECOND_US) == 0.25);
    assert_true(phases_progress(&sending, 20 * SECOND_US) == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_phase__a_run_goes_from_phase_to_phase),
        cmocka_unit_test(test_phase__progress_is_of_the_duration_and_at_most_all_of_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
