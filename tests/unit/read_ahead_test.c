/* read(2) out of a buffer, on a pair of sockets. */
#include "shared/net/read_ahead.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
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
    struct read_ahead ahead;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, f->fds), 0);
    read_ahead_begin(&f->ahead, f->fds[OURS]);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    read_ahead_end(&f->ahead);
    close(f->fds[OURS]);
    close(f->fds[THEIRS]);
    free(f);
    return 0;
}

static void put(const struct fixture *f, const char *text)
{
    assert_int_equal(write(f->fds[THEIRS], text, strlen(text)), (int)strlen(text));
}

static int left_in(int fd)
{
    int bytes = -1;

    assert_int_equal(ioctl(fd, FIONREAD, &bytes), 0);
    return bytes;
}

static void assert_reads(int fd, size_t most, const char *text)
{
    char out[64];

    assert_in_range(most, 1, sizeof(out));
    assert_int_equal(read(fd, out, most), (int)strlen(text));
    assert_memory_equal(out, text, strlen(text));
}

/* ---- tests ---------------------------------------------------------------------------------- */

static void test_read_ahead__the_first_piece_takes_all_that_there_is(void **state)
{
    struct fixture *f = *state;

    put(f, "abcdef");
    assert_reads(f->fds[OURS], 1, "a");
    assert_int_equal(left_in(f->fds[OURS]), 0);
    assert_int_equal(read_ahead_bytes(&f->ahead), 5);
    assert_reads(f->fds[OURS], 2, "bc");
    put(f, "ghi");
    assert_reads(f->fds[OURS], 10, "def"); /* what waits, before the socket is asked again */
    assert_int_equal(read_ahead_bytes(&f->ahead), 0);
    assert_reads(f->fds[OURS], 10, "ghi");
}

static void test_read_ahead__a_piece_larger_than_the_buffer_goes_past_it(void **state)
{
    static char all[READ_AHEAD_BYTES + 1];
    struct fixture *f = *state;

    put(f, "abc");
    assert_int_equal(read(f->fds[OURS], all, sizeof(all)), 3);
    assert_memory_equal(all, "abc", 3);
    assert_int_equal(read_ahead_bytes(&f->ahead), 0);
}

static void test_read_ahead__what_came_before_the_end_comes_before_the_end(void **state)
{
    struct fixture *f = *state;
    char byte;

    put(f, "ab");
    shutdown(f->fds[THEIRS], SHUT_WR);
    assert_reads(f->fds[OURS], 1, "a");
    assert_reads(f->fds[OURS], 1, "b");
    assert_int_equal(read(f->fds[OURS], &byte, 1), 0);
}

static void test_read_ahead__an_error_is_the_kernels(void **state)
{
    struct fixture *f = *state;
    char byte;
    int yes = 1;

    assert_int_equal(ioctl(f->fds[OURS], FIONBIO, &yes), 0);
    errno = 0;
    assert_int_equal(read(f->fds[OURS], &byte, 1), -1);
    assert_true(errno == EAGAIN || errno == EWOULDBLOCK);
    put(f, "a");
    assert_reads(f->fds[OURS], 1, "a");
}

static void test_read_ahead__other_descriptors_are_read_as_ever(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(write(f->fds[OURS], "xyz", 3), 3);
    assert_reads(f->fds[THEIRS], 1, "x");
    assert_int_equal(left_in(f->fds[THEIRS]), 2);
    assert_int_equal(read_ahead_bytes(&f->ahead), 0);
}

static void *read_elsewhere(void *user)
{
    struct fixture *f = user;
    char byte = 0;

    return (void *)(intptr_t)(read(f->fds[OURS], &byte, 1) == 1 ? byte : -1);
}

static void test_read_ahead__a_number_in_another_thread_is_another_matter(void **state)
{
    struct fixture *f = *state;
    pthread_t thread;
    void *got;

    put(f, "ab");
    assert_int_equal(pthread_create(&thread, NULL, read_elsewhere, f), 0);
    assert_int_equal(pthread_join(thread, &got), 0);
    assert_int_equal((intptr_t)got, 'a');
    assert_int_equal(left_in(f->fds[OURS]), 1);
}

static void test_read_ahead__the_end_of_one_forgets_what_waits_and_lets_another_begin(void **state)
{
    struct fixture *f = *state;
    static struct read_ahead other;

    put(f, "abc");
    assert_reads(f->fds[OURS], 1, "a");
    read_ahead_begin(&other, f->fds[THEIRS]); /* one at a time */
    assert_int_equal(read_ahead_bytes(&f->ahead), 2);
    read_ahead_end(&other);
    read_ahead_end(&f->ahead);
    assert_int_equal(read_ahead_bytes(&f->ahead), 0);
    put(f, "de");
    assert_reads(f->fds[OURS], 1, "d");
    assert_int_equal(left_in(f->fds[OURS]), 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_read_ahead__the_first_piece_takes_all_that_there_is),
        TEST(test_read_ahead__a_piece_larger_than_the_buffer_goes_past_it),
        TEST(test_read_ahead__what_came_before_the_end_comes_before_the_end),
        TEST(test_read_ahead__an_error_is_the_kernels),
        TEST(test_read_ahead__other_descriptors_are_read_as_ever),
        TEST(test_read_ahead__a_number_in_another_thread_is_another_matter),
        TEST(test_read_ahead__the_end_of_one_forgets_what_waits_and_lets_another_begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
