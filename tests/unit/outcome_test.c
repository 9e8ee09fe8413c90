#include "devicesim/outcome.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_outcome__success_is_all_acknowledged_but_what_was_meant_to_be_refused(void **state)
{
    static const struct {
        const char *name;
        struct report report;
        struct outcome outcome;
        bool is_success;
    } cases[] = {
        {"all acknowledged", {.sent = 5, .acked = 5}, {.has_connected = true}, true},
        {"nothing was due", {0}, {.has_connected = true}, true},
        {"one unanswered", {.sent = 5, .acked = 4}, {.has_connected = true}, false},
        {"one refused",
         {.sent = 5, .acked = 4, .refused = 1, .refusal = 0x87},
         {.has_connected = true},
         false},
        {"one too large on purpose",
         {.sent = 5, .acked = 4, .refused = 1, .faults[FAULT_OVERSIZED] = 1},
         {.has_connected = true},
         true},
        {"one too large on purpose, accepted, and another one refused",
         {.sent = 5,
          .acked = 4,
          .refused = 1,
          .faults[FAULT_OVERSIZED] = 1,
          .oversized_accepted = 1},
         {.has_connected = true},
         false},
        {"never connected", {0}, {.failure = "refused"}, false},
        {"never connected, and no reason known", {0}, {.failure = ""}, false},
        {"ended by a signal before it connected", {0}, {.is_interrupted = true}, true},
        {"ended by a signal with one unanswered",
         {.sent = 1},
         {.has_connected = true, .is_interrupted = true},
         false},
        {"the file of truth is full",
         {.sent = 5, .acked = 5},
         {.has_connected = true, .has_failed = true},
         false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct outcome outcome = cases[i].outcome;

        outcome.report = &cases[i].report;
        if (outcome_is_success(&outcome) != cases[i].is_success)
            fail_msg("%s", cases[i].name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            test_outcome__success_is_all_acknowledged_but_what_was_meant_to_be_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
