/* What Redis answers, of several versions, and what is made of it. */
#include "collector/sinks/redis_error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    const char *text;
    enum redis_error error;
    const char *said;
} known[] = {
    {"READONLY You can't write against a read only replica.", REDIS_UNFIT, "it is a replica"},
    {"READONLY You can't write against a read only replica. script: a81b, on @user_script:12.",
     REDIS_UNFIT, "it is a replica"},
    {"ERR Error running script (call to f_a81b): @user_script:12: -READONLY You can't write "
     "against "
     "a read only replica.",
     REDIS_UNFIT, "it is a replica"},
    {"ERR Error running script (call to f_a81b): @user_script:12: @user_script: 12: -OOM command "
     "not "
     "allowed when used memory > 'maxmemory'.",
     REDIS_REFUSED, "no memory left"},
    {"OOM command not allowed when used memory > 'maxmemory'. script: a81b, on @user_script:9.",
     REDIS_REFUSED, "no memory left"},
    {"MISCONF Valkey is configured to save RDB snapshots, but it's currently unable to persist",
     REDIS_REFUSED, "cannot save"},
    {"NOSCRIPT No matching script. Please use EVAL.", REDIS_NOSCRIPT, "forgotten our script"},
    {"NOAUTH Authentication required.", REDIS_UNFIT, "wants a password"},
    {"WRONGPASS invalid username-password pair or user is disabled.", REDIS_UNFIT,
     "does not know this user"},
    {"ERR invalid password", REDIS_UNFIT, "another password"},
    {"ERR AUTH <password> called without any password configured for the default user. Are you "
     "sure "
     "your configuration is correct?",
     REDIS_UNFIT, "has none itself"},
    {"ERR Client sent AUTH, but no password is set", REDIS_UNFIT, "has none itself"},
    {"LOADING Redis is loading the dataset in memory", REDIS_UNFIT, "loading its data"},
    {"LOADING", REDIS_UNFIT, "loading its data"},
    {"ERR max number of clients reached", REDIS_UNFIT, "maxclients"},
    {"NOPERM User collector has no permissions to run the 'evalsha' command", REDIS_REFUSED,
     "evalsha"},
    {"ERR The user executing the script can't run this command or subcommand script: a81b, on "
     "@user_script:28.",
     REDIS_REFUSED, "access control list"},
    {"ERR ACL failure in script: User collector has no permissions to run the 'publish' command "
     "script: a81b, on @user_script:28.",
     REDIS_REFUSED, "'publish'"},
    {"CLUSTERDOWN Hash slot not served", REDIS_REFUSED, "Hash slot not served"},
    {"MOVED 3999 127.0.0.1:6381", REDIS_MOVED, "another node"},
    {"ASK 3999 127.0.0.1:6381", REDIS_ASK, "moving"},
    {"TRYAGAIN Multiple keys request during rehashing of slot", REDIS_ASK, "moving"},
    {"MOVEDX 3999", REDIS_OTHER, "it answers: MOVEDX 3999"},
    {"ERR no such thing", REDIS_OTHER, "it answers: ERR no such thing"},
    {"ERR \x1b[31m", REDIS_OTHER, "\\x1b[31m"},
    {"", REDIS_OTHER, "it answers: "},
};

static void test_redis_error__each_is_known_and_explained(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        char said[300];

        if (redis_error_of(known[i].text) != known[i].error)
            fail_msg("%s is %d", known[i].text, (int)redis_error_of(known[i].text));
        redis_error_explain(known[i].text, true, said, sizeof(said));
        if (!strstr(said, known[i].said))
            fail_msg("%s: %s", known[i].text, said);
    }
}

static void test_redis_error__what_may_hold_a_password_is_not_quoted(void **state)
{
    char said[300];

    (void)state;
    redis_error_explain("ERR unknown command 'AUTH', with args beginning with: 'secret'", false,
                        said, sizeof(said));
    assert_null(strstr(said, "secret"));
}

static void test_redis_error__moved_names_a_place(void **state)
{
    static const char *const nowhere[] = {
        "MOVED",          "MOVED 1",
        "MOVED 1 host",   "MOVED 1 host:",
        "MOVED 1 host:0", "MOVED 1 host:65536",
        "MOVED 1 ?:6379", "MOVED 1 a-host-of-more-bytes-than-there-is-room:6379"};
    char host[32];
    int port = 0;

    (void)state;
    assert_true(redis_error_target("MOVED 3999 10.0.0.1:6381", host, sizeof(host), &port));
    assert_string_equal(host, "10.0.0.1");
    assert_int_equal(port, 6381);
    assert_true(redis_error_target("MOVED 1 2001:db8::1:7000", host, sizeof(host), &port));
    assert_string_equal(host, "2001:db8::1");
    assert_true(redis_error_target("MOVED 1 :7001", host, sizeof(host), &port));
    assert_string_equal(host, "");
    assert_int_equal(port, 7001);
    for (size_t i = 0; i < sizeof(nowhere) / sizeof(nowhere[0]); i++)
        assert_false(redis_error_target(nowhere[i], host, sizeof(host), &port));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_redis_error__each_is_known_and_explained),
        cmocka_unit_test(test_redis_error__what_may_hold_a_password_is_not_quoted),
        cmocka_unit_test(test_redis_error__moved_names_a_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
