#include "collector/suggest/suggest.h"

#include "collector/decoders/mapping_try.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NOW_US INT64_C(1795691046000000) /* 2026-11-26T11:04:06Z */

struct message {
    const char *topic;
    const char *payload;
};

/* Hears messages up to one without a topic; what is suggested compiles. "" when nothing is. */
static const char *suggested(const struct message *messages)
{
    static struct buffer out;
    char error[MAPPING_ERROR_SIZE] = "";
    struct heard_messages heard = {0};
    struct mappings mappings;
    bool is_something;

    buffer_clear(&out);
    for (; messages->topic; messages++)
        heard_add(&heard, messages->topic, messages->payload, strlen(messages->payload), NOW_US,
                  false);
    is_something = suggest_write(&out, &heard);
    heard_release(&heard);
    if (!is_something)
        return "";
    if (!mapping_compile(&mappings, (const char *)out.data, out.bytes, zone_load, error))
        fail_msg("%s\n%s", error, buffer_text(&out));
    mappings_release(&mappings);
    return buffer_text(&out);
}

static void assert_has(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("no %s in\n%s", part, text);
}

static void assert_has_not(const char *text, const char *part)
{
    if (strstr(text, part))
        fail_msg("%s in\n%s", part, text);
}

/* ---- topics --------------------------------------------------------------------------------- */

static void test_suggest__levels_that_vary_become_names(void **state)
{
    static const struct {
        struct message messages[6];
        const char *topic;
        const char *also;
    } cases[] = {
        {{{"site/pump-1/data", "{\"t\":1}"}, {"site/pump-2/data", "{\"t\":2}"}},
         "\"topic\": \"site/{device}/data\"",
         "\"t\": \"/t\" // 1"},
        {{{"home/kitchen/temperature", "21"},
          {"home/kitchen/humidity", "40"},
          {"home/attic/humidity", "41"}},
         "\"topic\": \"home/{device}/{feature}\"",
         "\"temperature\": \"temperature\""},
        {{{"app/7/device/a/up", "{\"t\":1}"}, {"app/8/device/b/up", "{\"t\":2}"}},
         "\"topic\": \"app/{app}/device/{device}/up\"",
         "\"features\""},
        /* the same device below two gateways is two devices */
        {{{"m/gw1/plc1", "{\"t\":1}"}, {"m/gw2/plc1", "{\"t\":2}"}, {"m/gw1/plc2", "{\"t\":2}"}},
         "\"topic\": \"m/{m}/{device}\"",
         "\"device\": \"{m}/{device}\""},
        /* one device, whose level is a guess */
        {{{"factory/press-1/state", "{\"t\":1}"}},
         "\"topic\": \"factory/{device}/state\"",
         "is a guess"},
        {{{"tele/boiler/SENSOR", "{\"AM2301\":{\"Temperature\":1.5}}"}},
         "\"topic\": \"tele/{device}/SENSOR\"",
         "mappings/tasmota.json"},
        {{{"homeassistant/sensor/cellar_temperature/state", "14.9"}},
         "\"match\": {\"{entity}\": \"{device*}_{quantity}\"}",
         "\"temperature\": \"temperature\""},
        /* nothing in the topic says whose it is */
        {{{"data", "{\"t\":1}"}}, "\"topic\": \"data\"", "\"device\": \"device\""},
        {{{"data", "{\"t\":1,\"node\":\"n1\"}"}, {"data", "{\"t\":1,\"node\":\"n2\"}"}},
         "\"topic\": \"data\"",
         "\"device\": \"{/node}\""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *text = suggested(cases[i].messages);

        assert_has(text, cases[i].topic);
        assert_has(text, cases[i].also);
    }
}

static void test_suggest__kinds_of_messages_are_kept_apart(void **state)
{
    static const struct message messages[] = {
        {"site/kitchen/temperature", "21"}, {"site/kitchen/door", "ON"},
        {"site/attic/temperature", "20"},   {"site/attic/door", "OFF"},
        {"site/attic/mode", "auto"},        {NULL, NULL}};
    const char *text = suggested(messages);

    (void)state;
    assert_has(text, "\"topic\": \"site/{device}/door\"");
    assert_has(text, "\"topic\": \"site/{device}/temperature\"");
    assert_has(text, "site/attic/mode: it is text");
    assert_has_not(text, "{device}/{feature}");
}

static void test_suggest__switches_that_vary_do_not_take_the_messages_of_sensors(void **state)
{
    static const struct message messages[] = {{"site/kitchen/door", "ON"},
                                              {"site/kitchen/window", "OFF"},
                                              {"site/kitchen/temperature", "21"},
                                              {"site/attic/temperature", "20"},
                                              {NULL, NULL}};
    const char *text = suggested(messages);

    (void)state;
    assert_has(text, "\"topic\": \"site/{device}/temperature\"");
    assert_has(text, "\"topic\": \"site/{device}/door\"");
    assert_has(text, "\"topic\": \"site/{device}/window\"");
    assert_has_not(text, "\"topic\": \"site/kitchen/{device}\"");
}

static void test_suggest__what_has_no_value_is_kept_from_a_pattern_that_it_fits(void **state)
{
    static const struct message messages[] = {{"z/lamp", "{\"power\":1,\"link\":2}"},
                                              {"z/plug", "{\"power\":3,\"link\":1}"},
                                              {"z/coordinator", "hello"},
                                              {NULL, NULL}};

    (void)state;
    assert_has(suggested(messages), "{\"topic\": \"z/coordinator\", \"ignore\": true}");
}

/* ---- members -------------------------------------------------------------------------------- */

static void test_suggest__members_get_their_roles(void **state)
{
    static const struct {
        const char *payload;
        const char *line;
    } cases[] = {
        {"{\"ts\":1795691045123,\"t\":1}", "\"time\": \"/ts\""},
        {"{\"Time\":\"2026-11-26T12:04:05\",\"t\":1}",
         "\"time\": {\"at\": \"/Time\", \"zone\": \"+01:00\"}"},
        {"{\"time\":\"2026-11-26T11:04:05Z\",\"t\":1}", "\"time\": \"/time\""},
        {"{\"time\":\"26/11/2026 11:04:05\",\"t\":1}",
         "{\"at\": \"/time\", \"format\": \"%d/%m/%Y %H:%M:%S\"}"},
        {"{\"time\":\"11/26/2026 11:04\",\"t\":1}", "\"format\": \"%m/%d/%Y %H:%M\""},
        {"{\"ts\":4711,\"t\":1}", "\"ts\": \"/ts\""}, /* an uptime: no moment */
        {"{\"fCnt\":7,\"t\":1}", "\"seq\": \"/fCnt\""},
        {"{\"state\":\"ON\",\"t\":1}",
         "\"status\": {\"at\": \"/state\", \"map\": {\"ON\": \"ON\", \"OFF\": \"OFF\"}}"},
        {"{\"output\":false,\"t\":1}",
         "{\"at\": \"/output\", \"map\": {\"true\": \"ON\", \"false\": \"OFF\"}}"},
        {"{\"battery_mV\":3581}", "\"battery_mV\": \"/battery_mV\" // 3581"},
        {"{\"BME\":{\"Temperature\":1},\"DHT\":{\"Temperature\":2}}",
         "\"dht_temperature\": \"/DHT/Temperature\""},
        {"{\"ENERGY\":{\"Total\":1}}", "\"energy_total\": \"/ENERGY/Total\""},
        {"{\"t\":\"21.5\"}", "\"t\": \"/t\" // 21.5"},
        {"{\"a/b~c\":1}", "\"a_b_c\": \"/a~1b~0c\""},
        {"{\"value\":1}", "\"measured_value\": \"/value\""},
        {"{\"3v3\":1}", "\"n3v3\": \"/3v3\""},
        {"{\"id\":4,\"t\":1}", "// /id  4: a number that says which"},
        {"{\"name\":\"x\\ny\",\"t\":1}", "// /name  x\\x0ay: no number"},
        {"{\"tags\":[{\"name\":\"oil\",\"value\":1}]}",
         "{\"name\": \"{/name}\", \"value\": \"/value\", \"rename\": {"},
        {"{\"at\":1795691045,\"list\":[{\"ts\":1795691045,\"t\":1}]}", "\"each\": \"/list/*\""},
        {"{\"P 1\":[{\"ts\":1795691045,\"t\":1}],\"P 2\":[{\"t\":2}]}", "\"device\": \"{key}\""},
        {"{\"t0\":1795691045,\"dt_ms\":250,\"a\":[1,2],\"b\":[3,4]}", "\"b\": \"^/b/{index}\""},
        {"{\"\":1,\"t0\":1795691045,\"dt_ms\":250,\"a\":[1,2],\"b\":[3,4]}",
         "\"b\": \"^/b/{index}\""},
        {"{\"params\":{\"switch:0\":{\"w\":1}}}", "\"device\": \"{device}/{key}\""},
        {"[{\"n\":\"oil-temp\",\"v\":1},{\"n\":\"on\",\"vb\":true}]", "\"oil-temp\": \"oil_temp\""},
        {"{\"x\":{\"{y}\":1},\"t\":1}", "// and more that is not used"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct message messages[] = {
            {"s/a/b1", cases[i].payload}, {"s/a/b2", cases[i].payload}, {NULL, NULL}};

        assert_has(suggested(messages), cases[i].line);
    }
}

static void test_suggest__texts_get_their_words(void **state)
{
    static const struct message online[] = {{"plug-1/online", "true"}, {NULL, NULL}};
    static const struct message state_of[] = {{"site/lamp-1/relay", "on"}, {NULL, NULL}};
    static const struct message none[] = {
        {"d/a/humidity", "nan"}, {"d/b/humidity", "50"}, {NULL, NULL}};

    (void)state;
    assert_has(suggested(online), "\"map\": {\"true\": \"ACTIVE\", \"false\": \"INACTIVE\"}");
    assert_has(suggested(state_of), "\"map\": {\"on\": \"ON\", \"off\": \"OFF\"}");
    assert_has(suggested(none), "\"topic\": \"d/{device}/humidity\"");
}

/* ---- bounds --------------------------------------------------------------------------------- */

static void test_suggest__topics_of_no_device_are_left_out(void **state)
{
    static const struct message messages[] = {{"$SYS/broker/uptime", "1"},
                                              {"collectors/collector/status", "{\"stored\":1}"},
                                              {NULL, NULL}};

    (void)state;
    assert_string_equal(suggested(messages), "");
}

static void test_suggest__a_hostile_broker_takes_bounded_memory(void **state)
{
    struct heard_messages heard = {0};
    struct buffer out = {0};
    char *payload = malloc(HEARD_PAYLOAD_MOST + 1);
    char topic[64];

    (void)state;
    memset(payload, '7', HEARD_PAYLOAD_MOST + 1);
    for (int i = 0; i < HEARD_TOPICS_MOST + 1000; i++) {
        bool is_long = i % 50 == 0;

        snprintf(topic, sizeof(topic), "x%d/y%d/z%d", i * 7919 % 10007, i, i * 31);
        heard_add(&heard, topic, payload, is_long ? HEARD_PAYLOAD_MOST : 3, NOW_US, false);
        heard_add(&heard, topic, payload, HEARD_PAYLOAD_MOST + 1, NOW_US, false);
    }
    assert_int_equal(heard.count, HEARD_TOPICS_MOST);
    assert_in_range(heard.bytes, 1, HEARD_BYTES_MOST);
    assert_int_equal(heard.left_out, 2000);
    heard_release(&heard);
    memset(payload, 'x', 256);
    payload[256] = '\0';
    heard_add(&heard, payload, "1", 1, NOW_US, false); /* nobody could subscribe to it */
    assert_int_equal(heard.count, 0);
    suggest_write(&out, &heard);
    assert_has(buffer_text(&out), "// Left out: ");
    buffer_release(&out);
    heard_release(&heard);
    free(payload);
}

static void test_suggest__a_wide_device_leaves_names_for_others(void **state)
{
    struct heard_messages heard = {0};
    struct buffer wide = {0};
    struct buffer out = {0};
    char topic[32];

    (void)state;
    for (int i = 0; i < 500; i++)
        buffer_printf(&wide, "%c\"k%d\":%d", i == 0 ? '{' : ',', i, i);
    buffer_put_text(&wide, "}");
    heard_add(&heard, "a/wide/all", buffer_text(&wide), wide.bytes, NOW_US, false);
    for (int i = 0; i < 40; i++) {
        snprintf(topic, sizeof(topic), "b%d/d/x%d", i, i);
        heard_add(&heard, topic, "{\"flow\":1.5,\"ph\":7.1}", 21, NOW_US, false);
    }
    suggest_write(&out, &heard);
    assert_has(buffer_text(&out), "\"flow\": \"/flow\"");
    assert_has(buffer_text(&out), "\"ph\": \"/ph\"");
    assert_has(buffer_text(&out), "\"k40\": \"/k40\"");
    buffer_release(&wide);
    buffer_release(&out);
    heard_release(&heard);
}

static void test_suggest__a_payload_of_another_shape_is_kept_and_one_alike_is_not(void **state)
{
    struct heard_messages heard = {0};
    char payload[32];

    (void)state;
    for (int i = 0; i < 100; i++) {
        snprintf(payload, sizeof(payload), "{\"t\":%d}", i);
        heard_add(&heard, "a/b", payload, strlen(payload), NOW_US, false);
    }
    heard_add(&heard, "a/b", "{\"lwt\":true}", 12, NOW_US, false);
    assert_int_equal(heard.topics[0].count, HEARD_ALIKE_MOST + 1);
    heard_release(&heard);
}

static void test_suggest__the_order_of_arrival_changes_nothing(void **state)
{
    static const struct message one[] = {
        {"a/x/t", "1"}, {"a/y/h", "2"}, {"a/x/h", "3"}, {NULL, NULL}};
    static const struct message other[] = {
        {"a/x/h", "3"}, {"a/y/h", "2"}, {"a/x/t", "1"}, {NULL, NULL}};
    char *first = strdup(suggested(one));

    (void)state;
    assert_string_equal(first, suggested(other));
    free(first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_suggest__levels_that_vary_become_names),
        cmocka_unit_test(test_suggest__kinds_of_messages_are_kept_apart),
        cmocka_unit_test(test_suggest__switches_that_vary_do_not_take_the_messages_of_sensors),
        cmocka_unit_test(test_suggest__what_has_no_value_is_kept_from_a_pattern_that_it_fits),
        cmocka_unit_test(test_suggest__members_get_their_roles),
        cmocka_unit_test(test_suggest__texts_get_their_words),
        cmocka_unit_test(test_suggest__topics_of_no_device_are_left_out),
        cmocka_unit_test(test_suggest__a_hostile_broker_takes_bounded_memory),
        cmocka_unit_test(test_suggest__a_wide_device_leaves_names_for_others),
        cmocka_unit_test(test_suggest__a_payload_of_another_shape_is_kept_and_one_alike_is_not),
        cmocka_unit_test(test_suggest__the_order_of_arrival_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
