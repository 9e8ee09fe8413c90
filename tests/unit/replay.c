#include "tests/unit/replay.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

static uint64_t current_seed;
static const char *current_part = "";
static const char *current_how = "";

static void on_abort(int number)
{
    (void)number;
    replay_failed();
}

uint64_t replay_setting(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);

    return text && *text ? strtoull(text, NULL, 10) : otherwise;
}

uint64_t replay_seed(void)
{
    uint64_t seed = replay_setting("SEED", 1);

    return seed ? seed : (uint64_t)time(NULL);
}

void replay_begin(const char *part, uint64_t seed, const char *how)
{
    current_part = part;
    current_seed = seed;
    current_how = how;
    signal(SIGABRT, on_abort);
}

int replay_failed(void)
{
    /* NOLINTNEXTLINE(bugprone-signal-handler): the process ends here, and this is worth a risk */
    print_error("%s failed; repeat with SEED=%llu %s\n", current_part,
                (unsigned long long)current_seed, current_how);
    return EXIT_FAILURE;
}
