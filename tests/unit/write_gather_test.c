/* write(2) and send(2) into a buffer, on a pair of sockets. */
#include "shared/net/write_gather.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { OURS, THEIRS };

struct fixture {
    int fds[2];
    struct write_gather gather;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    int yes = 1;

    assert_non_null(f);
    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, f->fds), 0);
    assert_int_equal(ioctl(f->fds[OURS], FIONBIO, &yes), 0);
    write_gather_begin(&f->gather, f->fds[OURS]);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    write_gather_drop(&f->gather);
    close(f->fds[OURS]);
    close(f->fds[THEIRS]);
    free(f);
    return 0;
}

static void put(const struct fixture *f, const char *text)
{
    assert_int_equal(write(f->fds[OURS], text, strlen(text)), (int)strlen(text));
}

static int arrived(const struct fixture *f)
{
    int bytes = -1;

    assert_int_equal(ioctl(f->fds[THEIRS], FIONREAD, &bytes), 0);
    return bytes;
}

static void assert_arrived(const struct fixture *f, const char *text)
{
    char out[64];

    assert_int_equal(recv(f->fds[THEIRS], out, sizeof(out), MSG_DONTWAIT), (int)strlen(text));
    assert_memory_equal(out, text, strlen(text));
}

/* Takes everything; how much, and whether it is a, b, c, ... over and over. */
static size_t drain(const struct fixture *f, size_t at)
{
    static char out[65536];
    ssize_t got;

    while ((got = recv(f->fds[THEIRS], out, sizeof(out), MSG_DONTWAIT)) > 0) {
        for (ssize_t i = 0; i < got; i++, at++)
            assert_int_equal(out[i], 'a' + (char)(at % 26));
    }
    return at;
}

/* ---- tests ---------------------------------------------------------------------------------- */

static void test_write_gather__pieces_leave_together_at_the_end(void **state)
{
    struct fixture *f = *state;

    put(f, "ab");
    put(f, "c");
    assert_int_equal(arrived(f), 0);
    assert_int_equal(write_gather_bytes(&f->gather), 3);
    assert_true(write_gather_end(&f->gather));
    assert_arrived(f, "abc");
    assert_int_equal(write_gather_bytes(&f->gather), 0);
    put(f, "d"); /* as ever again */
    assert_arrived(f, "d");
}

static void test_write_gather__what_is_sent_is_gathered_with_what_is_written(void **state)
{
    struct fixture *f = *state;

    put(f, "ab");
    assert_int_equal(send(f->fds[OURS], "cd", 2, MSG_NOSIGNAL), 2);
    put(f, "e");
    assert_int_equal(arrived(f), 0);
    assert_int_equal(send(f->fds[THEIRS], "x", 1, MSG_NOSIGNAL), 1); /* another descriptor */
    assert_int_equal(write_gather_bytes(&f->gather), 5);
    assert_true(write_gather_end(&f->gather));
    assert_arrived(f, "abcde");
    assert_int_equal(send(f->fds[OURS], "f", 1, MSG_NOSIGNAL), 1); /* as ever again */
    assert_arrived(f, "f");
}

static void test_write_gather__a_full_buffer_leaves_and_nothing_overtakes(void **state)
{
    struct fixture *f = *state;
    static char large[WRITE_GATHER_BYTES + 5];
    size_t at = 0;

    for (size_t i = 0; i < WRITE_GATHER_BYTES + 3; i++, at++)
        assert_int_equal(write(f->fds[OURS], &(char){(char)('a' + at % 26)}, 1), 1);
    assert_int_equal(arrived(f), WRITE_GATHER_BYTES);
    for (size_t i = 0; i < sizeof(large); i++, at++)
        large[i] = (char)('a' + at % 26);
    assert_int_equal(write(f->fds[OURS], large, sizeof(large)), sizeof(large));
    assert_int_equal(arrived(f), (int)at); /* larger than the buffer: past it, after what it had */
    assert_true(write_gather_end(&f->gather));
    assert_int_equal(drain(f, 0), at);
}

/* As a broker that does not read: the writer sees what a full socket says, and loses nothing. */
static void test_write_gather__what_the_socket_does_not_take_stays(void **state)
{
    struct fixture *f = *state;
    size_t at = 0, got = 0;

    for (; write(f->fds[OURS], &(char){(char)('a' + at % 26)}, 1) == 1; at++)
        ;
    assert_true(errno == EAGAIN || errno == EWOULDBLOCK);
    assert_true(write_gather_end(&f->gather));
    assert_in_range(write_gather_bytes(&f->gather), 1, WRITE_GATHER_BYTES);
    got = drain(f, got);
    assert_int_equal(got + write_gather_bytes(&f->gather), at);
    write_gather_begin(&f->gather, f->fds[OURS]); /* more comes after it */
    assert_int_equal(write(f->fds[OURS], &(char){(char)('a' + at % 26)}, 1), 1);
    at++;
    while (write_gather_bytes(&f->gather) > 0) {
        assert_true(write_gather_end(&f->gather));
        got = drain(f, got);
    }
    assert_int_equal(got, at);
}

static void test_write_gather__an_error_is_said_at_the_end(void **state)
{
    struct fixture *f = *state;

    put(f, "ab");
    shutdown(f->fds[THEIRS], SHUT_RD);
    assert_false(write_gather_end(&f->gather));
    assert_int_equal(errno, EPIPE);
    write_gather_drop(&f->gather);
    assert_int_equal(write_gather_bytes(&f->gather), 0);
}

static void test_write_gather__other_descriptors_are_written_as_ever(void **state)
{
    struct fixture *f = *state;
    char byte;

    assert_int_equal(write(f->fds[THEIRS], "x", 1), 1);
    assert_int_equal(recv(f->fds[OURS], &byte, 1, MSG_DONTWAIT), 1);
    assert_int_equal(write_gather_bytes(&f->gather), 0);
    assert_false(f->gather.is_used);
    put(f, "a");
    assert_true(f->gather.is_used);
}

static void *write_elsewhere(void *user)
{
    struct fixture *f = user;

    return (void *)(intptr_t)write(f->fds[OURS], "x", 1);
}

static void test_write_gather__a_number_in_another_thread_is_another_matter(void **state)
{
    struct fixture *f = *state;
    pthread_t thread;
    void *wrote;

    assert_int_equal(pthread_create(&thread, NULL, write_elsewhere, f), 0);
    assert_int_equal(pthread_join(thread, &wrote), 0);
    assert_int_equal((intptr_t)wrote, 1);
    assert_arrived(f, "x");
}

static void test_write_gather__one_at_a_time(void **state)
{
    struct fixture *f = *state;
    static struct write_gather other;

    put(f, "a");
    write_gather_begin(&other, f->fds[THEIRS]);
    assert_true(write_gather_end(&other));
    put(f, "b");
    assert_int_equal(write_gather_bytes(&f->gather), 2);
    write_gather_drop(&f->gather); /* and what was dropped does not leave */
    put(f, "c");
    assert_arrived(f, "c");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_write_gather__pieces_leave_together_at_the_end),
        TEST(test_write_gather__what_is_sent_is_gathered_with_what_is_written),
        TEST(test_write_gather__a_full_buffer_leaves_and_nothing_overtakes),
        TEST(test_write_gather__what_the_socket_does_not_take_stays),
        TEST(test_write_gather__an_error_is_said_at_the_end),
        TEST(test_write_gather__other_descriptors_are_written_as_ever),
        TEST(test_write_gather__a_number_in_another_thread_is_another_matter),
        TEST(test_write_gather__one_at_a_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
