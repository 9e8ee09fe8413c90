/* What ends here by a signal ends the test program. */
#include "shared/net/signals.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void on_hangup(void *user)
{
    ++*(int *)user;
}

static void test_signals__no_hangup_ends_what_has_no_loop(void **state)
{
    (void)state;
    signals_init();
    raise(SIGHUP);
    raise(SIGUSR1);
    raise(SIGUSR2);
    raise(SIGPIPE);
}

/* Between the end of the loop and that of the process, too, where libuv has given the default back. */
static void test_signals__a_hangup_is_heard_in_a_loop_and_harmless_after_it(void **state)
{
    struct signals signals;
    uv_loop_t loop;
    int heard = 0;

    (void)state;
    signals_init();
    uv_loop_init(&loop);
    signals_start(&signals, &loop, on_hangup, &heard);
    raise(SIGHUP);
    while (heard == 0)
        uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(heard, 1);
    signals_close(&signals);
    raise(SIGHUP);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    raise(SIGHUP);
    assert_int_equal(heard, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signals__no_hangup_ends_what_has_no_loop),
        cmocka_unit_test(test_signals__a_hangup_is_heard_in_a_loop_and_harmless_after_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
