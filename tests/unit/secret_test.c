#include "shared/base/secret.h"
#include "shared/net/pg_url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_secret__of_a_url_its_place_is_shown(void **state)
{
    static const char *const cases[][2] = {
        {"mqtt://host", "mqtt://host"},
        {"mqtt://host:99999", "mqtt://host:99999"},
        {"http://[::1]:1883/x", "http://[::1]:1883/x"},
        {"localhost", "localhost"},
        {"broker:1883", "broker:1883"},
        {"/var/run/x", "/var/run/x"},
        {"mqtt://u:s3cr3t@host:1883", "mqtt://***@host:1883"},
        {"mqtt://u:s3@cr3t@host", "mqtt://***@host"},
        {"mqtt://u:s3/cr3t@host", "mqtt://***@host"},
        {"mqtt://u:s%33cr3t@[::1]:1883", "mqtt://***@[::1]:1883"},
        {"u:s3cr3t@host", "***@host"},
        {"mqtt:u:s3cr3t@host", "***@host"},
        {"postgresql://u:s3cr3t@h/db", "postgresql://***@h/db"},
        {"", ""},
    };
    char out[128];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_string_equal(secret_url(out, sizeof(out), cases[i][0]), cases[i][1]);
}

static void test_secret__what_cannot_be_taken_apart_is_not_shown(void **state)
{
    static const char *const cases[] = {
        "mqtt://u:s3cr3t",
        "u:s3cr3t",
        "s3cr3t",
        "mqtt:u:s3cr3t",
        "mqtt://u@host:s3cr3t",
        "mqtt://u:x@y s3cr3t",
        "postgresql://u@h/db?password=s3cr3t",
        "postgresql://u@h/db?password=x@s3cr3t",
        "host=h password=s3cr3t",
        "host=h password = 's3cr3t",
        "password=x@s3cr3t",
        "password s3cr3t",
    };
    char out[128];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (strstr(secret_url(out, sizeof(out), cases[i]), "s3cr3t"))
            fail_msg("%s is shown as %s", cases[i], out);
    }
}

static void test_secret__other_values_are_shown_unless_they_look_like_one(void **state)
{
    char out[128];

    (void)state;
    assert_string_equal(secret_value(out, sizeof(out), "a=1..2, b"), "a=1..2, b");
    assert_string_equal(secret_value(out, sizeof(out), "devices/+/readings"), "devices/+/readings");
    assert_string_equal(secret_value(out, sizeof(out), "mqtt://u:s3cr3t@h"), "mqtt://***@h");
    assert_string_equal(secret_value(out, sizeof(out), "Password=s3cr3t"), "***");
}

static void test_secret__the_secret_itself_is_no_path(void **state)
{
    static const char *const paths[] = {
        "/tmp/none.txt", "./none", "../none", "/proc/self/none", "/proc/self/cmdline", "/", "/tmp/",
    };
    static const char *const secrets[] = {
        "s3cr3t",
        "/s3cr3t",
        "//s3cr3t",
        "s3/cr3t",
        "/s3/cr3t",
        "name:s3cr3t",
        "",
        "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49/s3cr3t\n-----END PRIVATE KEY-----",
    };
    char out[128];

    (void)state;
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        assert_string_equal(secret_path(out, sizeof(out), paths[i]), paths[i]);
    for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++) {
        if (strncmp(secret_path(out, sizeof(out), secrets[i]), "*** (not shown", 14) != 0)
            fail_msg("%s is shown as %s", secrets[i], out);
    }
}

static void test_secret__texts_lose_what_is_known_and_what_stands_in_urls(void **state)
{
    static const char *const known[] = {"s3cr3t", "", "abc", NULL};
    char text[] = "no s3cr3t, s3cr3ts3cr3t: \"pg://u:p@w@h/abc\" x@y";

    (void)state;
    secret_scrub(text, known);
    assert_string_equal(text, "no ***, ******: \"pg://***@h/abc\" x@y");
}

static void test_secret__an_argument_is_taken(void **state)
{
    char argument[] = "mqtt://u:s3cr3t@h";
    const char *copy = secret_pop_argument(argument);

    (void)state;
    assert_string_equal(copy, "mqtt://u:s3cr3t@h");
    assert_string_equal(argument, "*****************");
}

/* libpq would take a part of the password for the host, and quote it when it finds none. */
static void test_pg_url__what_libpq_would_misread_is_refused(void **state)
{
    static const char *const legal[] = {
        "",
        "host=h user=u@tenant password='a b@/='",
        "host = h\tpassword = s3cr3t",
        "postgresql://u:s%40%2F@h:5432/db?sslmode=disable",
        "postgres://u@h1:1,h2:2/db",
        "postgresql:///db?host=/var/run/postgresql&password=a@b/c",
        "postgresql://u:s3?cr3t@h",
        "host=@abstract",
        "host=h options='-c geqo=off' passfile=/etc/highwater/passwords",
        "dbname=passwords user=pwd",
    };
    static const char *const illegal[] = {
        "s3cr3t",
        "host=x password=s3cr3t bogus=1",
        "host=x password='s3cr3t",
        "host=x password=s3 cr3t",
        "host=password=s3cr3t",
        "host=h port=s3cr3t",
        "dbname=postgresql://u:s3cr3t@h/db",
        "postgresql://u:s3@cr3t@h/db",
        "postgresql://u:s3/cr3t@h/db",
        "postgresql://u:s3%zzcr3t@h/db",
        "postgresql://h/db?password=s3cr3t&bogus=1",
        "postgresql://h?password=s3cr3t@x",
        "mysql://u:s3cr3t@h/db",
        "postgresql://h:12/s3cr3t@h/db",
        "host=h dbname= password=s3cr3t",
        "host=h dbname=db;pwd=s3cr3t",
        "host=h sslmode= PASSWORD=s3cr3t",
        "host=h application_name=x;Pwd=s3cr3t",
        "postgresql://u@h/db?sslmode=require?password=s3cr3t",
        "postgresql://u@h/db;password=s3cr3t",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(legal) / sizeof(legal[0]); i++) {
        if (pg_url_flaw(legal[i]))
            fail_msg("%s is refused: %s", legal[i], pg_url_flaw(legal[i]));
    }
    for (size_t i = 0; i < sizeof(illegal) / sizeof(illegal[0]); i++) {
        if (!pg_url_flaw(illegal[i]))
            fail_msg("%s is accepted", illegal[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_secret__of_a_url_its_place_is_shown),
        cmocka_unit_test(test_secret__what_cannot_be_taken_apart_is_not_shown),
        cmocka_unit_test(test_secret__other_values_are_shown_unless_they_look_like_one),
        cmocka_unit_test(test_secret__the_secret_itself_is_no_path),
        cmocka_unit_test(test_secret__texts_lose_what_is_known_and_what_stands_in_urls),
        cmocka_unit_test(test_secret__an_argument_is_taken),
        cmocka_unit_test(test_pg_url__what_libpq_would_misread_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
