/* What is in the place of a file is not waited for: files are read while the loop runs. Each of these would
 * stand still, some for ever. */
#include "shared/base/regular_file.h"
#include "shared/base/secret.h"
#include "shared/net/tls_client.h"
#include "shared/net/tls_server.h"
#include "tests/unit/temp_file.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static int fifo_setup(void **state)
{
    const struct temp_file *file;

    temp_file_setup(state);
    file = *state;
    return unlink(file->path) || mkfifo(file->path, 0600);
}

static void test_regular_file__else_it_is_said_what_is_there(void **state)
{
    const struct temp_file *fifo = *state;
    const char *const cases[][2] = {{fifo->path, "it is no regular file"},
                                    {"/dev/zero", "it is no regular file"},
                                    {"/dev/tty", NULL}, /* of whoever runs the test */
                                    {"/tmp", "Is a directory"},
                                    {"/nowhere/at all", "No such file or directory"}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct stat status;
        const char *flaw = NULL;

        assert_int_equal(regular_file_open(cases[i][0], &status, &flaw), -1);
        assert_non_null(flaw);
        if (cases[i][1])
            assert_string_equal(flaw, cases[i][1]);
    }
}

static void test_tls__certificates_and_keys(void **state)
{
    const struct temp_file *fifo = *state;
    const struct tls_client_names names = {"MQTT", "the broker", "mqtt"};
    const struct tls_client_config clients[] = {
        {.names = names, .host = "h", .ca_file = fifo->path},
        {.names = names, .host = "h", .cert_file = fifo->path, .key_file = fifo->path}};
    const struct tls_files server = {"TLS_CERT", "TLS_KEY", fifo->path, fifo->path};
    char error[256];

    for (size_t i = 0; i < sizeof(clients) / sizeof(clients[0]); i++) {
        assert_null(tls_client_new(&clients[i], error, sizeof(error)));
        assert_non_null(strstr(error, "it is no regular file"));
    }
    assert_null(tls_server_new(&server, error, sizeof(error)));
    assert_non_null(strstr(error, "it is no regular file"));
}

/* <(pass show broker) is one, and may say it in parts. */
static void test_secret__a_pipe_is_read_to_its_end(void **state)
{
    int ends[2];
    char path[32];
    char reason[256];
    bool is_open;
    char *password;

    (void)state;
    assert_int_equal(pipe(ends), 0);
    snprintf(path, sizeof(path), "/dev/fd/%d", ends[0]);
    assert_int_equal(write(ends[1], "s3c", 3), 3);
    assert_int_equal(write(ends[1], "r3t\n", 4), 4);
    close(ends[1]);
    password = secret_read_file(path, &is_open, reason, sizeof(reason));
    close(ends[0]);
    assert_non_null(password);
    assert_string_equal(password, "s3cr3t");
    free(password);
}

static void test_secret__but_not_for_ever(void **state)
{
    const struct temp_file *fifo = *state;
    char reason[256];
    bool is_open;
    int ends[2];
    char path[32];

    assert_null(secret_read_file(fifo->path, &is_open, reason, sizeof(reason))); /* nobody writes */
    assert_int_equal(pipe(ends), 0);
    snprintf(path, sizeof(path), "/dev/fd/%d", ends[0]);
    assert_null(secret_read_file(path, &is_open, reason, sizeof(reason))); /* who could, does not */
    assert_non_null(strstr(reason, strerror(ETIMEDOUT)));
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_regular_file__else_it_is_said_what_is_there,
                                        fifo_setup, temp_file_teardown),
        cmocka_unit_test_setup_teardown(test_tls__certificates_and_keys, fifo_setup,
                                        temp_file_teardown),
        cmocka_unit_test(test_secret__a_pipe_is_read_to_its_end),
        cmocka_unit_test_setup_teardown(test_secret__but_not_for_ever, fifo_setup,
                                        temp_file_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
