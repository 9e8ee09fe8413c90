/* URLs of a Redis, legal and not. */
#include "collector/sinks/redis_url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    const char *text;
    const char *host;
    int port;
    int database;
    bool use_tls;
    const char *username;
    const char *password;
} legal[] = {
    {"redis://cache", "cache", 6379, 0, false, NULL, NULL},
    {"redis://cache/", "cache", 6379, 0, false, NULL, NULL},
    {"redis://cache:1/15", "cache", 1, 15, false, NULL, NULL},
    {"rediss://cache:65535/0", "cache", 65535, 0, true, NULL, NULL},
    {"redis://[::1]:7000/3", "::1", 7000, 3, false, NULL, NULL},
    {"rediss://[fe80::1]", "fe80::1", 6379, 0, true, NULL, NULL},
    {"redis://:p@h", "h", 6379, 0, false, NULL, "p"},
    {"redis://u:p@h:1/2", "h", 1, 2, false, "u", "p"},
    {"redis://u@h", "h", 6379, 0, false, "u", NULL},
    {"redis://u:a/b@c%3a%2Fd@h/1", "h", 6379, 1, false, "u", "a/b@c:/d"},
    {"unix:///run/redis.sock", "/run/redis.sock", 0, 0, false, NULL, NULL},
    {"unix:///run/redis.sock?db=7", "/run/redis.sock", 0, 7, false, NULL, NULL},
    {"unix://:p%40w@/run/redis.sock", "/run/redis.sock", 0, 0, false, NULL, "p@w"},
    {"unix://u:p/w@/s?db=1", "/s", 0, 1, false, "u", "p/w"},
};

static const char *const illegal[] = {
    "",
    "redis:",
    "redis://",
    "cache:6379",
    "http://cache",
    "redis://:6379",
    "redis://h:0",
    "redis://h:65536",
    "redis://h:",
    "redis://h:6379x",
    "redis://h/one",
    "redis://h/1/",
    "redis://h/-1",
    "redis://h/1000000",
    "redis://h?db=1",
    "redis://h/1?x",
    "redis://u:p@",
    "redis://[::1",
    "redis://[::1]x",
    "unix://",
    "unix:///",
    "unix://run/redis.sock",
    "unix:///s?db=",
    "unix:///s?db=x",
    "unix:///s?password=x",
};

static bool is_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static void test_redis_url__what_is_legal_is_taken_apart(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(legal) / sizeof(legal[0]); i++) {
        struct redis_url url;

        if (!redis_url_parse(&url, legal[i].text))
            fail_msg("%s is legal", legal[i].text);
        if (!is_text(url.authority.host, legal[i].host) || url.authority.port != legal[i].port ||
            url.database != legal[i].database || url.use_tls != legal[i].use_tls ||
            !is_text(url.authority.username, legal[i].username) ||
            !is_text(url.authority.password, legal[i].password))
            fail_msg("%s: %s port %d database %d user %s password %s", legal[i].text,
                     url.authority.host, url.authority.port, url.database,
                     url.authority.username ? url.authority.username : "-",
                     url.authority.password ? url.authority.password : "-");
        redis_url_release(&url);
    }
}

static void test_redis_url__what_is_not_legal_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(illegal) / sizeof(illegal[0]); i++) {
        struct redis_url url;

        if (redis_url_parse(&url, illegal[i]))
            fail_msg("%s is not legal", illegal[i]);
        redis_url_release(&url);
    }
}

static void test_redis_url__a_socket_has_a_path_that_fits(void **state)
{
    struct redis_url url;
    char text[200];

    (void)state;
    snprintf(text, sizeof(text), "unix:///%0106d", 0);
    assert_true(redis_url_parse(&url, text));
    redis_url_release(&url);
    snprintf(text, sizeof(text), "unix:///%0107d", 0);
    assert_false(redis_url_parse(&url, text));
    redis_url_release(&url);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_redis_url__what_is_legal_is_taken_apart),
        cmocka_unit_test(test_redis_url__what_is_not_legal_is_refused),
        cmocka_unit_test(test_redis_url__a_socket_has_a_path_that_fits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
