/* The file of KAFKA_CONFIG, and what its errors say; and URLs of topics. */
#include "shared/net/kafka_link.h"
#include "shared/net/kafka_url.h"
#include "tests/unit/temp_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct kafka_property properties[] = {
    {.name = "enable.idempotence", .value = "true", .is_ours = true},
    {.name = "acks", .is_ours = true},
    {.name = "linger.ms", .value = "5"},
    {0},
};

static bool check(const char *text, char *error)
{
    struct temp_file temp;
    FILE *file;
    bool is_good;

    temp_file_make(&temp);
    file = fopen(temp.path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    is_good = kafka_link_check(properties, temp.path, error, KAFKA_CONF_ERROR_SIZE);
    temp_file_remove(&temp);
    return is_good;
}

static void test_kafka_conf__properties_of_librdkafka_are_taken(void **state)
{
    static const char *const legal[] = {
        "",
        "\n\n",
        "# nothing\n",
        "linger.ms=20",
        "  linger.ms = 20 \r\ncompression.type = lz4\r\n",
        "security.protocol=sasl_ssl\nsasl.username=a\nsasl.password=b=c#d\n",
    };
    char error[KAFKA_CONF_ERROR_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof(legal) / sizeof(legal[0]); i++) {
        if (!check(legal[i], error))
            fail_msg("'%s': %s", legal[i], error);
    }
    assert_true(kafka_link_check(properties, "", error, sizeof(error)));
    assert_true(kafka_link_check(properties, NULL, error, sizeof(error)));
}

static void test_kafka_conf__what_is_wrong_is_named_with_what_is_legal(void **state)
{
    static const struct {
        const char *text;
        const char *says[3];
        const char *hides;
    } cases[] = {
        {"\nenable.idempotence=false\n",
         {":2: ", "enable.idempotence", "set by this program"},
         NULL},
        {"acks=1", {":1: ", "acks", "set by this program"}, NULL},
        {"bootstrap.servers=h:1", {"bootstrap.servers", "set by this program", ""}, NULL},
        {"metadata.broker.list=h:1", {"metadata.broker.list", "set by this program", ""}, NULL},
        {"linger.msec=5", {"\"linger.msec\"", "no property of this name", ""}, NULL},
        {"linger.ms=soon", {"linger.ms", "\"soon\"", "0 .. 900000"}, NULL},
        {"linger.ms=-1", {"linger.ms", "\"-1\"", "0 .. 900000"}, NULL},
        {"compression.type=zip", {"\"zip\"", "gzip", "lz4"}, NULL},
        {"security.protocol=tls", {"\"tls\"", "plaintext", "sasl_ssl"}, NULL},
        {"sasl.password", {":1: ", "name=value", ""}, NULL},
        {"hunter2", {":1: ", "name=value", ""}, "hunter2"},
        {"=hunter2", {":1: ", "name=value", ""}, "hunter2"},
        {"# ok\nopaque=1", {":2: ", "opaque", ""}, NULL},
    };
    char error[KAFKA_CONF_ERROR_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_false(check(cases[i].text, error));
        for (size_t j = 0; j < 3; j++) {
            if (!strstr(error, cases[i].says[j]))
                fail_msg("'%s': \"%s\" does not say %s", cases[i].text, error, cases[i].says[j]);
        }
        if (cases[i].hides && strstr(error, cases[i].hides))
            fail_msg("'%s' is quoted: %s", cases[i].hides, error);
    }
    assert_false(kafka_link_check(properties, "/nowhere/at/all", error, sizeof(error)));
    assert_non_null(strstr(error, "/nowhere/at/all cannot be read: No such file"));
    assert_false(kafka_link_check(properties, "/tmp", error, sizeof(error)));
    assert_non_null(strstr(error, "directory"));
}

static void test_kafka_url__what_is_legal_is_taken_apart(void **state)
{
    static const struct {
        const char *text;
        const char *brokers;
        const char *topic;
        const char *group;
    } legal[] = {
        {"kafka://h/t", "h:9092", "t", NULL},
        {"kafka://h:1/readings", "h:1", "readings", NULL},
        {"kafka://a,b:2,c.example/a.B_c-9", "a:9092,b:2,c.example:9092", "a.B_c-9", NULL},
        {"kafka://[::1]/t", "[::1]:9092", "t", NULL},
        {"kafka://[fe80::1%1]:5,127.0.0.1/t?group=g", "[fe80::1%1]:5,127.0.0.1:9092", "t", "g"},
        {"kafka://h/t?member=m&group=g=1", "h:9092", "t", "g=1"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(legal) / sizeof(legal[0]); i++) {
        struct kafka_url url;

        if (!kafka_url_parse(&url, legal[i].text))
            fail_msg("%s was refused", legal[i].text);
        assert_string_equal(url.brokers, legal[i].brokers);
        assert_string_equal(url.topic, legal[i].topic);
        if (legal[i].group)
            assert_string_equal(kafka_url_param(&url, "group"), legal[i].group);
        else
            assert_null(kafka_url_param(&url, "group"));
        kafka_url_release(&url);
    }
}

static void test_kafka_url__what_is_not_legal_is_refused(void **state)
{
    static const char *const illegal[] = {
        "",
        "kafka:",
        "kafka://",
        "kafka:///t",
        "kafka://h",
        "kafka://h/",
        "kafka://h/t/u",
        "kafka://h:/t",
        "kafka://h:0/t",
        "kafka://h:65536/t",
        "kafka://h:1x/t",
        "kafka://h,/t",
        "kafka://,h/t",
        "kafka://h:1:2/t",
        "kafka://user:secret@h/t",
        "kafka://h/t?x=a@b",
        "kafka://h i/t",
        "kafka://::1/t",
        "kafka://[::1/t",
        "kafka://[]/t",
        "kafka://[::1]x/t",
        "kafka://[h]/t",
        "kafka://h/.",
        "kafka://h/..",
        "kafka://h/t\xc3\xa9",
        "kafka://h/t t",
        "kafka://h/t?",
        "kafka://h/t?group",
        "kafka://h/t?group=",
        "kafka://h/t?=g",
        "kafka://h/t?group=a&",
        "kafka://h/t?group=&member=b",
        "kafka://h/t?group&member=b",
        "kafka://h/t?group=a&group=b",
        "kafka://h/t?a=1&b=1&c=1&d=1&e=1&f=1&g=1&h=1&i=1",
        "kafkas://h/t",
        "KAFKA://h/t",
    };
    char longest[300] = "kafka://h/";
    struct kafka_url url;

    (void)state;
    for (size_t i = 0; i < sizeof(illegal) / sizeof(illegal[0]); i++) {
        if (kafka_url_parse(&url, illegal[i]))
            fail_msg("%s was taken", illegal[i]);
        kafka_url_release(&url);
    }
    memset(longest + strlen(longest), 't', KAFKA_TOPIC_MAX);
    assert_true(kafka_url_parse(&url, longest));
    kafka_url_release(&url);
    longest[strlen(longest)] = 't';
    assert_false(kafka_url_parse(&url, longest));
    kafka_url_release(&url);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kafka_conf__properties_of_librdkafka_are_taken),
        cmocka_unit_test(test_kafka_conf__what_is_wrong_is_named_with_what_is_legal),
        cmocka_unit_test(test_kafka_url__what_is_legal_is_taken_apart),
        cmocka_unit_test(test_kafka_url__what_is_not_legal_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
