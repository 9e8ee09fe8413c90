/* The service manager is a socket of ours; the loop is turned by hand, as long as something is to come. */
#include "shared/net/service_notify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static char heard[8192];
static const char *reasons_now = "";

struct manager {
    int fd;
    char name[64];
    uv_loop_t loop;
    struct service_notify notify;
};

static bool is_ready(void *user, struct buffer *reasons)
{
    (void)user;
    buffer_put_text(reasons, reasons_now);
    return *reasons_now == '\0';
}

/* Listens under that name, of a path or an abstract one, and says so. */
static void listen_as(struct manager *m, const char *prefix)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    snprintf(m->name, sizeof(m->name), "%s-%d", prefix, (int)getpid());
    strcpy(address.sun_path, m->name);
    if (m->name[0] == '@')
        address.sun_path[0] = '\0';
    m->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(m->fd, (const struct sockaddr *)&address,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(m->name))),
                     0);
    setenv("NOTIFY_SOCKET", m->name, 1);
}

static void start(struct manager *m)
{
    const struct service_notify_config config = {.is_ready = is_ready};

    uv_loop_init(&m->loop);
    service_notify_init(&m->notify);
    service_notify_start(&m->notify, &m->loop, &config);
}

static void end(struct manager *m)
{
    service_notify_close(&m->notify);
    uv_run(&m->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&m->loop), 0);
    close(m->fd);
    if (m->name[0] == '/')
        unlink(m->name);
}

/* The next datagram, or "" when there is none. */
static const char *hear(struct manager *m)
{
    ssize_t bytes = recv(m->fd, heard, sizeof(heard) - 1, 0);

    heard[bytes > 0 ? bytes : 0] = '\0';
    return heard;
}

static const char *hear_next(struct manager *m)
{
    while (!*hear(m))
        uv_run(&m->loop, UV_RUN_ONCE);
    return heard;
}

static void test_service_notify__it_is_ready_with_the_loops_first_turn(void **state)
{
    static const char *const prefixes[] = {"/tmp/service-notify", "@service-notify"};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct manager m = {0};

        listen_as(&m, prefixes[i]);
        reasons_now = "the database is away\n";
        start(&m);
        assert_string_equal(hear(&m), "");
        uv_run(&m.loop, UV_RUN_NOWAIT);
        assert_string_equal(hear(&m), "READY=1\nSTATUS=not ready: the database is away\n");
        assert_string_equal(hear(&m), "");
        reasons_now = "";
        assert_string_equal(hear_next(&m), "STATUS=ready\n");
        end(&m);
    }
}

static void test_service_notify__reloads_and_the_end_are_said(void **state)
{
    struct manager m = {0};
    unsigned long long at_us;

    (void)state;
    listen_as(&m, "@service-notify");
    reasons_now = "";
    start(&m);
    assert_string_equal(hear_next(&m), "READY=1\nSTATUS=ready\n");
    service_notify_reloading(&m.notify);
    assert_int_equal(sscanf(hear(&m), "RELOADING=1\nMONOTONIC_USEC=%llu\n", &at_us), 1);
    assert_in_range(at_us, 1, uv_hrtime() / 1000);
    service_notify_reloaded(&m.notify);
    assert_string_equal(hear(&m), "READY=1\n");
    service_notify_stopping(&m.notify, 10000);
    assert_string_equal(hear(&m), "STOPPING=1\nEXTEND_TIMEOUT_USEC=15000000\nSTATUS=stopping\n");
    service_notify_stopping(&m.notify, 10000); /* a second signal */
    service_notify_reloading(&m.notify);
    service_notify_reloaded(&m.notify);
    assert_string_equal(hear(&m), "");
    end(&m);
}

static void test_service_notify__a_status_is_one_line_of_what_can_be_seen(void **state)
{
    struct manager m = {0};
    char many[6000];

    (void)state;
    listen_as(&m, "@service-notify");
    reasons_now = "one\ntwo\x1b[2J\xff\nREADY=1\r\nno end";
    start(&m);
    assert_string_equal(hear_next(&m),
                        "READY=1\nSTATUS=not ready: one; two\\x1b[2J\\xff; READY=1\\x0d; no end\n");
    memset(many, '\n', sizeof(many) - 1);
    many[sizeof(many) - 1] = '\0';
    reasons_now = many;
    assert_in_range(strlen(hear_next(&m)), SERVICE_NOTIFY_STATUS_SIZE - 8,
                    SERVICE_NOTIFY_STATUS_SIZE + 8);
    end(&m);
}

/* Until it reads again; and then only what is so now. */
static void test_service_notify__a_manager_that_does_not_read_holds_nothing_up(void **state)
{
    struct manager m = {0};
    const char *last = "";

    (void)state;
    listen_as(&m, "@service-notify");
    reasons_now = "";
    start(&m);
    assert_true(*hear_next(&m));
    for (int i = 0; i < 5000; i++) /* far beyond what a socket holds */
        service_notify_reloading(&m.notify);
    service_notify_reloaded(&m.notify);
    reasons_now = "busy\n";
    do {
        last = hear(&m);
        assert_null(strstr(last, "READY"));
    } while (*last);
    assert_string_equal(hear_next(&m), "READY=1\nSTATUS=not ready: busy\n");
    end(&m);
}

static void test_service_notify__without_a_manager_nothing_is_begun(void **state)
{
    char too_long[sizeof(((struct sockaddr_un *)0)->sun_path) + 1];
    const char *const names[] = {
        "", "relative/path", "vsock:2:9999", "@", "/", "/nowhere/at/all", too_long,
    };

    (void)state;
    memset(too_long, '/', sizeof(too_long) - 1);
    too_long[sizeof(too_long) - 1] = '\0';
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct manager m = {.fd = -1};

        setenv("NOTIFY_SOCKET", names[i], 1);
        setenv("WATCHDOG_USEC", "2000", 1);
        start(&m);
        assert_int_equal(m.notify.has_timers, strcmp(names[i], "/nowhere/at/all") == 0);
        uv_run(&m.loop, UV_RUN_NOWAIT);
        service_notify_reloading(&m.notify);
        service_notify_reloaded(&m.notify);
        service_notify_stopping(&m.notify, 1);
        end(&m);
    }
}

static void test_service_notify__a_manager_that_is_gone_is_no_fault(void **state)
{
    struct manager m = {0};

    (void)state;
    listen_as(&m, "/tmp/service-notify");
    start(&m);
    assert_true(*hear_next(&m));
    close(m.fd);
    service_notify_reloading(&m.notify);
    unlink(m.name);
    service_notify_reloading(&m.notify);
    end(&m);
}

/* Children of ours are not to speak for us, nor to be watched. */
static void test_service_notify__the_variables_are_for_this_process_alone(void **state)
{
    struct manager m = {0};

    (void)state;
    listen_as(&m, "@service-notify");
    setenv("WATCHDOG_USEC", "30000000", 1);
    setenv("WATCHDOG_PID", "1", 1);
    start(&m);
    assert_null(getenv("NOTIFY_SOCKET"));
    assert_null(getenv("WATCHDOG_USEC"));
    assert_null(getenv("WATCHDOG_PID"));
    end(&m);
}

static void test_service_notify__which_watchdog_is_ours(void **state)
{
    static const struct {
        const char *usec;
        const char *pid; /* "" = ours */
        uint64_t ms;
    } cases[] = {
        {"30000000", NULL, 30000},
        {"30000000", "", 30000},
        {"30000000", "1", 0},
        {"30000000", "x", 0},
        {NULL, NULL, 0},
        {"0", NULL, 0},
        {"-1", NULL, 0},
        {"1e6", NULL, 0},
        {"", NULL, 0},
        {"1", NULL, 2},
        {"2001", NULL, 2},
        {"18446744073709551615", NULL, 0},
    };
    char ours[32];

    (void)state;
    snprintf(ours, sizeof(ours), "%d", (int)getpid());
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct service_notify notify;

        setenv("NOTIFY_SOCKET", "@service-notify", 1);
        if (cases[i].usec)
            setenv("WATCHDOG_USEC", cases[i].usec, 1);
        if (cases[i].pid)
            setenv("WATCHDOG_PID", *cases[i].pid ? cases[i].pid : ours, 1);
        service_notify_init(&notify);
        assert_int_equal(notify.watchdog_ms, cases[i].ms);
        service_notify_close(&notify);
    }
}

static void test_service_notify__a_loop_that_does_not_turn_does_not_ping(void **state)
{
    struct manager m = {0};

    (void)state;
    listen_as(&m, "@service-notify");
    setenv("WATCHDOG_USEC", "20000", 1);
    reasons_now = "";
    start(&m);
    for (int i = 0; i < 3; i++)
        assert_non_null(strstr(hear_next(&m), i > 0 ? "WATCHDOG=1\n" : "READY=1\n"));
    while (*hear(&m))
        ;
    nanosleep(&(struct timespec){.tv_nsec = 100 * 1000 * 1000}, NULL); /* ten pings long */
    assert_string_equal(hear(&m), "");
    assert_non_null(strstr(hear_next(&m), "WATCHDOG=1\n"));
    service_notify_stopping(&m.notify, 0); /* a drain is watched, too */
    while (!strstr(hear_next(&m), "STOPPING=1"))
        ;
    assert_string_equal(hear_next(&m), "WATCHDOG=1\n");
    end(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_service_notify__it_is_ready_with_the_loops_first_turn),
        cmocka_unit_test(test_service_notify__reloads_and_the_end_are_said),
        cmocka_unit_test(test_service_notify__a_status_is_one_line_of_what_can_be_seen),
        cmocka_unit_test(test_service_notify__a_manager_that_does_not_read_holds_nothing_up),
        cmocka_unit_test(test_service_notify__without_a_manager_nothing_is_begun),
        cmocka_unit_test(test_service_notify__a_manager_that_is_gone_is_no_fault),
        cmocka_unit_test(test_service_notify__the_variables_are_for_this_process_alone),
        cmocka_unit_test(test_service_notify__which_watchdog_is_ours),
        cmocka_unit_test(test_service_notify__a_loop_that_does_not_turn_does_not_ping),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
