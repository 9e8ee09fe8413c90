/* URLs of brokers, legal and not. */
#include "shared/net/mqtt_url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const struct {
    const char *text;
    const char *host;
    int port;
    bool use_tls;
    const char *username;
    const char *password;
} legal[] = {
    {"mqtt://broker", "broker", 1883, false, NULL, NULL},
    {"mqtts://broker", "broker", 8883, true, NULL, NULL},
    {"mqtt://broker:1/", "broker", 1, false, NULL, NULL},
    {"mqtt://[::1]:1884", "::1", 1884, false, NULL, NULL},
    {"mqtt://[::1]", "::1", 1883, false, NULL, NULL},
    {"mqtt://u:p@h", "h", 1883, false, "u", "p"},
    {"mqtt://u@h", "h", 1883, false, "u", NULL},
    {"mqtt://u:p%40%2Fw@x@h:2", "h", 2, false, "u", "p@/w@x"},
    {"mqtt://u:50%25%+5% a%00%4@h", "h", 1883, false, "u", "50%%+5% a%00%4"},
    {"unix:///run/mosquitto", "/run/mosquitto", 0, false, NULL, NULL},
};

static const char *const illegal[] = {
    "",
    "broker",
    "http://broker",
    "mqtt://",
    "mqtt://h:0",
    "mqtt://h:65536",
    "mqtt://h:x",
    "mqtt://h/ab",
    "mqtt://[::1",
    "unix://path",
    "unix:///u:p@run/mosquitto",
    "mqtt://:1",
    "mqtt://u:p@",
    "mqtt://[::1]x",
    "mqtt://[::1]x:1",
    "mqtt://h:+1",
    "mqtt://h: 1",
    "mqtt://h:",
    "mqtt://h:000001",
    "mqtt://a[b]c",
    "mqtt://[[::1]",
};

static void test_mqtt_url__what_is_legal_is_taken_apart(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(legal) / sizeof(legal[0]); i++) {
        struct mqtt_url url;

        if (!mqtt_url_parse(&url, legal[i].text))
            fail_msg("%s", legal[i].text);
        assert_string_equal(url.host, legal[i].host);
        assert_int_equal(url.port, legal[i].port);
        assert_int_equal(url.use_tls, legal[i].use_tls);
        assert_int_equal(url.username != NULL, legal[i].username != NULL);
        assert_int_equal(url.password != NULL, legal[i].password != NULL);
        if (legal[i].username)
            assert_string_equal(url.username, legal[i].username);
        if (legal[i].password)
            assert_string_equal(url.password, legal[i].password);
        mqtt_url_release(&url);
    }
}

static void test_mqtt_url__the_rest_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(illegal) / sizeof(illegal[0]); i++) {
        struct mqtt_url url;

        if (mqtt_url_parse(&url, illegal[i]))
            fail_msg("%s", illegal[i]);
        mqtt_url_release(&url);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mqtt_url__what_is_legal_is_taken_apart),
        cmocka_unit_test(test_mqtt_url__the_rest_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
