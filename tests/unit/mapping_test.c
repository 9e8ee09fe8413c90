#include "collector/decoders/mapping_try.h"
#include "shared/base/timestamp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define NOW "2026-11-26T11:04:06Z"

static int64_t now_us(void)
{
    int64_t us;

    assert_true(timestamp_parse(&us, NOW));
    return us;
}

/* The one mapping, with the rest of its keys, tried: the lines that come of it. */
static const char *tried_bytes(const char *keys, const char *topic, const char *payload,
                               size_t bytes)
{
    static char lines[4000];
    char text[2000];
    char error[MAPPING_ERROR_SIZE];
    struct reading_rules rules = {.earliest_us = INT64_C(1577836800000000),
                                  .future_tolerance_us = 60000000};
    struct mappings mappings;
    struct features features;
    static const struct features none;
    struct buffer out = {0};

    snprintf(text, sizeof(text), "[{%s}]", keys);
    if (!mapping_compile(&mappings, text, strlen(text), zone_load, error))
        fail_msg("%s: %s", text, error);
    assert_true(mappings_features(&mappings, &none, &features, error));
    mappings_bind(&mappings, &features);
    rules.features = &features;
    mapping_try_message(&out, &mappings, &rules, now_us(), topic, payload, bytes);
    snprintf(lines, sizeof(lines), "%s", buffer_text(&out));
    buffer_release(&out);
    mappings_release(&mappings);
    return lines;
}

static const char *tried(const char *keys, const char *payload)
{
    return tried_bytes(keys, "a/d", payload, strlen(payload));
}

struct try_case {
    const char *keys, *payload, *expected;
};

static void assert_tried(const struct try_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *got = tried(cases[i].keys, cases[i].payload);

        if (strcmp(got, cases[i].expected) != 0)
            fail_msg("%s of %s\n  is  %s\n  not %s", cases[i].keys, cases[i].payload, got,
                     cases[i].expected);
    }
}

#define ASSERT_TRIED(cases) assert_tried(cases, sizeof(cases) / sizeof((cases)[0]))
#define TOPIC "\"topic\":\"a/{device}\","
#define TEXT TOPIC "\"payload\":\"text\","
#define D "{\"deviceId\":\"d\",\"timestamp\":\"arrival\","

static void test_mapping__numbers_are_found_and_scaled(void **state)
{
    static const struct try_case cases[] = {
        {TOPIC "\"features\":{\"t\":\"/t\"}", "{\"t\":21.5}", D "\"t\":21.5}\n"},
        {TOPIC "\"features\":{\"t\":\"/t\"}", " {\"t\":\" 21.5 \"} ", D "\"t\":21.5}\n"},
        {TOPIC "\"features\":{\"t\":\"/t\"}", "{\"t\":\"+007\"}", D "\"t\":7}\n"},
        {TOPIC "\"features\":{\"t\":[\"/a\",\"/b\",\"/t\"]}", "{\"a\":null,\"t\":1,\"b\":2}",
         D "\"t\":2}\n"},
        {TOPIC "\"features\":{\"t\":{\"at\":\"/t\",\"scale\":0.1}}", "{\"t\":483}",
         D "\"t\":48.3}\n"},
        {TOPIC "\"features\":{\"t\":{\"at\":\"/t\",\"scale\":0.005}}", "{\"t\":2140}",
         D "\"t\":10.7}\n"},
        {TOPIC "\"features\":{\"t\":{\"at\":\"/t\",\"scale\":1000}}", "{\"t\":1.001}",
         D "\"t\":1001}\n"},
        {TOPIC "\"features\":{\"t\":{\"at\":\"/t\",\"scale\":2,\"offset\":-1}}", "{\"t\":3}",
         D "\"t\":5}\n"},
        {TOPIC "\"features\":{\"t\":{\"at\":\"/t\",\"scale\":0.1}}", "{\"t\":1e2}",
         D "\"t\":10}\n"},
        {TOPIC "\"features\":{\"t\":{\"at\":\"/t\",\"bad\":[85,-127]},\"u\":\"/u\"}",
         "{\"t\":-127.0,\"u\":1}", D "\"u\":1}\n"},
        {TOPIC "\"features\":{\"t\":{\"at\":\"/t\",\"bad\":85}}", "{\"t\":85}",
         "{\"ignored\":\"says_none\"}\n"},
        {TOPIC "\"features\":{\"t\":\"/t\",\"u\":\"/u\"}", "{\"t\":true,\"u\":-0}", D "\"u\":0}\n"},
        {TEXT "\"features\":{\"t\":\"\"}", " 21.47\n", D "\"t\":21.47}\n"},
        {TEXT "\"features\":{\"t\":\"\"}", "NaN", "{\"ignored\":\"says_none\"}\n"},
        {TEXT "\"features\":{\"t\":\"\"}", "", "{\"ignored\":\"says_none\"}\n"},
        {TEXT "\"features\":{\"t\":\"\"}", "unavailable", "{\"ignored\":\"says_none\"}\n"},
        {TEXT "\"features\":{\"t\":\"\"}", "warm",
         "{\"rejected\":\"no_value\",\"detail\":\"it is \\\"warm\\\"; no number and no status; "
         "tried "
         "\\\"\\\"\"}\n"},
        {TOPIC "\"features\":{\"t\":[\"/a\",\"/b\"]},\"status\":\"^/s\"", "{}",
         "{\"rejected\":\"no_value\",\"detail\":\"it is empty; no number and no status; tried "
         "\\\"/a\\\" or "
         "\\\"/b\\\", \\\"^/s\\\"\"}\n"},
        {TOPIC "\"features\":{\"t\":[\"/a\",\"/b\"]}", "{\"b\":null,\"c\":1}",
         "{\"ignored\":\"says_none\"}\n"},
        {TOPIC "\"features\":{\"t\":\"/a/b\"},\"status\":\"/s\"", "{\"a\":null,\"s\":null}",
         "{\"ignored\":\"says_none\"}\n"},
        {TOPIC "\"each\":\"/*\",\"feature\":{\"name\":\"{/n}\",\"value\":\"/v\"}",
         "[{\"n\":\"x\",\"v\":1}]",
         "{\"rejected\":\"no_value\",\"detail\":\"its first element has n, v; 1 values, of which "
         "\\\"x\\\" is no feature: neither \\\"rename\\\" nor FEATURES has it; tried of each "
         "\\\"/*\\\": \\\"/v\\\"\"}\n"},
    };

    ASSERT_TRIED(cases);
    (void)state;
}

/* Many pointers fill the sentence; what the message has does not suffer. */
static void test_mapping__what_a_message_has_is_said_before_what_was_tried(void **state)
{
    const char *got =
        tried(TOPIC "\"features\":{\"t\":[\"/SI7021/Temperature\",\"/AM2301/Temperature\","
                    "\"/DS18B20/Temperature\",\"/DS18B20-1/Temperature\",\"/BMP280/Temperature\","
                    "\"/SHT3X/Temperature\",\"/HTU21/Temperature\",\"/MLX90614/OBJTMP\"]}",
              "{\"a\":1,\"b\":2,\"c\":3,\"d\":4,\"e\":5,\"f\":6,\"g\":7}");

    (void)state;
    assert_non_null(strstr(got, "\"it has a, b, c, d, e, f, ...; no number and no status; tried "));
    assert_non_null(strstr(got, " ...\"}\n"));
}

static void test_mapping__statuses_are_mapped(void **state)
{
    static const struct try_case cases[] = {
        {TOPIC "\"status\":{\"at\":\"/s\",\"map\":{\"true\":\"ON\",\"0\":\"OFF\"}}", "{\"s\":true}",
         D "\"status\":\"ON\"}\n"},
        {TOPIC "\"status\":{\"at\":\"/s\",\"map\":{\"true\":\"ON\",\"0\":\"OFF\"}}", "{\"s\":0}",
         D "\"status\":\"OFF\"}\n"},
        {TOPIC "\"status\":{\"at\":\"/s\",\"map\":{\"true\":\"ON\"}}", "{\"s\":\"dimmed\"}",
         "{\"ignored\":\"says_none\"}\n"},
        {TOPIC "\"status\":\"/s\"", "{\"s\":\"ACTIVE\"}", D "\"status\":\"ACTIVE\"}\n"},
        {TOPIC "\"status\":\"/s\",\"features\":{\"t\":\"/t\"}", "{\"s\":\"idle\",\"t\":1}",
         D "\"t\":1}\n"},
    };

    ASSERT_TRIED(cases);
    (void)state;
}

static void test_mapping__devices_are_named(void **state)
{
    static const struct try_case cases[] = {
        {TOPIC "\"device\":\"{device}/{/n}\",\"features\":{\"t\":\"/t\"}", "{\"t\":1,\"n\":7}",
         "{\"deviceId\":\"d.7\",\"timestamp\":\"arrival\",\"t\":1}\n"},
        {TOPIC "\"device\":\"{/m}-{/i}\",\"features\":{\"t\":\"/t\"}",
         "{\"t\":1,\"m\":\"A\\u0042\",\"i\":2.0}",
         "{\"deviceId\":\"AB-2.0\",\"timestamp\":\"arrival\",\"t\":1}\n"},
        {TOPIC "\"device\":\"{/m}\",\"features\":{\"t\":\"/t\"}", "{\"t\":1}",
         "{\"rejected\":\"bad_device_id\",\"detail\":\"there are values, but no device: "
         "\\\"{/m}\\\"\"}\n"},
        {"\"topic\":\"a/{x}\",\"match\":{\"{/id}\":\"{plant}.{device}\"},\"features\":{\"t\":\"/"
         "t\"}",
         "{\"t\":1,\"id\":\"p.q\"}", "{\"deviceId\":\"q\",\"timestamp\":\"arrival\",\"t\":1}\n"},
        {"\"topic\":\"a/{x}\",\"match\":{\"{/id}\":\"{plant}.{device}\"},\"features\":{\"t\":\"/"
         "t\"}",
         "{\"t\":1,\"id\":\"p\"}", "{\"ignored\":\"not_meant\"}\n"},
    };

    ASSERT_TRIED(cases);
    (void)state;
}

static void test_mapping__what_is_said_of_one_moment_is_one_reading(void **state)
{
    static const struct try_case cases[] = {
        {TOPIC "\"each\":\"/*\",\"time\":\"/ts\",\"feature\":{\"name\":\"{/n}\",\"value\":\"/"
               "v\",\"rename\":{\"a\":\"a\",\"b/c\":\"c\"}}",
         "[{\"n\":\"a\",\"v\":1,\"ts\":1795691045},{\"n\":\"b/"
         "c\",\"v\":2,\"ts\":1795691045},{\"n\":\"a\",\"v\":3,\"ts\":1795691044}]",
         "{\"deviceId\":\"d\",\"timestamp\":\"2026-11-26T11:04:05.000000Z\",\"a\":1,\"c\":2}\n"
         "{\"deviceId\":\"d\",\"timestamp\":\"2026-11-26T11:04:04.000000Z\",\"a\":3}\n"},
        /* what is said twice is two readings */
        {TOPIC "\"each\":\"/*\",\"status\":\"/s\"", "[{\"s\":\"ON\"},{\"s\":\"OFF\"}]",
         D "\"status\":\"ON\"}\n" D "\"status\":\"OFF\"}\n"},
        {TOPIC "\"each\":\"/*\",\"features\":{\"t\":\"\"}", "[1,1,2]",
         D "\"t\":1}\n" D "\"t\":1}\n" D "\"t\":2}\n"},
        {TOPIC "\"rules\":[{\"features\":{\"t\":\"/t\"},\"seq\":\"/n\"},{\"when\":{\"/"
               "k\":[\"x\",true]},\"status\":\"/s\"}]",
         "{\"t\":1,\"n\":\"5\",\"k\":true,\"s\":\"ON\"}",
         D "\"seq\":5,\"status\":\"ON\",\"t\":1}\n"},
        {TOPIC "\"rules\":[{\"features\":{\"t\":\"/t\"},\"seq\":\"/n\"},{\"when\":{\"/"
               "k\":\"x\"},\"status\":\"/s\"}]",
         "{\"t\":1,\"n\":-5,\"k\":\"y\",\"s\":\"ON\"}", D "\"t\":1}\n"},
        {TOPIC
         "\"each\":\"/*/*\",\"device\":\"{key}\",\"features\":{\"t\":\"\",\"u\":\"^/u/{index}\"}",
         "{\"p\":[1,2],\"q\":[3],\"u\":{}}",
         "{\"deviceId\":\"p\",\"timestamp\":\"arrival\",\"t\":1}\n{\"deviceId\":\"p\","
         "\"timestamp\":\"arrival\",\"t\":2}\n"
         "{\"deviceId\":\"q\",\"timestamp\":\"arrival\",\"t\":3}\n"},
        {TOPIC "\"each\":\"/*\",\"features\":{\"t\":\"/t\"}", "[5,{\"t\":1},{},[]]",
         D "\"t\":1}\n"},
        {TOPIC "\"unpack\":\"/d\",\"features\":{\"t\":\"/d/t\"}", "{\"d\":\"{\\\"t\\\":1}\"}",
         D "\"t\":1}\n"},
    };

    ASSERT_TRIED(cases);
    (void)state;
}

static void test_mapping__times_are_read_and_judged(void **state)
{
    static const struct try_case cases[] = {
        {TOPIC "\"time\":{\"at\":\"/ts\",\"step\":0.5},\"each\":\"/v/*\",\"features\":{\"t\":\"\"}",
         "{\"v\":[1]}", D "\"t\":1}\n"},
        {TOPIC
         "\"time\":{\"at\":\"^/ts\",\"step\":-0.5},\"each\":\"/v/*\",\"features\":{\"t\":\"\"}",
         "{\"ts\":1795691045,\"v\":[1,2]}",
         "{\"deviceId\":\"d\",\"timestamp\":\"2026-11-26T11:04:05.000000Z\",\"t\":1}\n"
         "{\"deviceId\":\"d\",\"timestamp\":\"2026-11-26T11:04:04.500000Z\",\"t\":2}\n"},
        {TOPIC "\"time\":\"/ts\",\"features\":{\"t\":\"/t\"}", "{\"t\":1,\"ts\":5}",
         "{\"rejected\":\"timestamp_too_old\",\"detail\":\"timestamp 1970-01-01T00:00:05.000000Z "
         "is "
         "before "
         "2020-01-01T00:00:00.000000Z, so of a clock that is wrong (EARLIEST)\"}\n"},
        {TOPIC "\"time\":\"/ts\",\"features\":{\"t\":\"/t\"}", "{\"t\":1,\"ts\":\"\"}",
         D "\"t\":1}\n"},
        {TOPIC "\"time\":\"/ts\",\"features\":{\"t\":\"/t\"}", "{\"t\":1,\"ts\":true}",
         "{\"rejected\":\"bad_timestamp\",\"detail\":\"time \\\"true\\\" is not RFC 3339, nor s, "
         "ms, us or ns since 1970\"}\n"},
        /* values of no use need no time */
        {TOPIC "\"time\":\"/ts\",\"features\":{\"t\":\"/t\"}", "{\"t\":\"nan\",\"ts\":true}",
         "{\"ignored\":\"says_none\"}\n"},
        /* one bad member costs itself alone; several are one rejected message */
        {TOPIC "\"time\":\"/ts\",\"each\":\"/*\",\"features\":{\"t\":\"/t\"}",
         "[{\"t\":1,\"ts\":\"x\"},{\"t\":2},{\"t\":3,\"ts\":\"y\"}]",
         D "\"t\":2}\n{\"rejected\":\"bad_timestamp\",\"detail\":\"time \\\"x\\\" is not RFC 3339, "
           "nor s, ms, us or ns since 1970; and 1 "
           "more of this message\"}\n"},
        /* SenML: relative to now is no time of the device's */
        {TOPIC "\"payload\":\"senml\",\"each\":\"/*\",\"time\":\"/t\",\"feature\":{\"name\":\"{/"
               "n}\",\"value\":\"/v\",\"rename\":{\"x\":\"t\"}}",
         "[{\"n\":\"x\",\"t\":-5,\"v\":1}]", D "\"t\":1}\n"},
    };

    ASSERT_TRIED(cases);
    (void)state;
}

static void test_mapping__the_first_that_fits_has_a_message(void **state)
{
    static const char *const keys =
        "\"topic\":\"a/{kind}/"
        "x\",\"only\":{\"kind\":[\"p\",\"q\"]},\"device\":\"1\",\"features\":{\"t\":\"/t\"}},"
        "{\"topic\":\"a/r/{rest*}\",\"ignore\":true},{\"topic\":\"a/"
        "{device*}\",\"features\":{\"t\":\"/t\"}},"
        "{\"topic\":\"b/{kind}\",\"only\":{\"kind\":\"p\"},\"device\":\"1\",\"features\":{\"t\":\"/"
        "t\"}";
    static const char *const cases[][2] = {
        {"a/p/x", "{\"deviceId\":\"1\",\"timestamp\":\"arrival\",\"t\":1}\n"},
        {"a/r/x", "{\"ignored\":\"ignored\"}\n"},
        {"a/s/x", "{\"deviceId\":\"s.x\",\"timestamp\":\"arrival\",\"t\":1}\n"},
        {"b/q", "{\"ignored\":\"not_meant\"}\n"},
        {"c", "{\"ignored\":\"no_topic\"}\n"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_string_equal(tried_bytes(keys, cases[i][0], "{\"t\":1}", 7), cases[i][1]);
    (void)state;
}

static void test_mapping__bytes_that_are_no_payload_are_rejected(void **state)
{
    assert_non_null(strstr(tried(TOPIC "\"features\":{\"t\":\"/t\"}", ""), "\"empty\""));
    assert_non_null(strstr(tried(TOPIC "\"features\":{\"t\":\"/t\"}", "{\"t\":NaN}"), "not_json"));
    assert_non_null(strstr(tried(TEXT "\"features\":{\"t\":\"\"}", "\xff"), "invalid_utf8"));
    assert_non_null(
        strstr(tried_bytes(TEXT "\"features\":{\"t\":\"\"}", "a/d", "1\0002", 3), "nul_character"));
    assert_string_equal(tried_bytes(TEXT "\"features\":{\"t\":\"\"}", "a/d", "12", 3),
                        D "\"t\":12}\n");
    assert_string_equal(tried(TOPIC "\"features\":{\"t\":\"\"}", "\xef\xbb\xbf"
                                                                 "5"),
                        D "\"t\":5}\n");
    (void)state;
}

static void test_mapping__subscriptions_do_not_overlap_needlessly(void **state)
{
    static const char *const text = "[{\"topic\":\"z/bridge/{rest*}\",\"ignore\":true},"
                                    "{\"topic\":\"z/{device}/availability\",\"status\":\"/"
                                    "s\"},{\"topic\":\"z/{device*}\",\"status\":\"/s\"},"
                                    "{\"topic\":\"h/{device}/a\",\"ignore\":true},{\"topic\":\"h/"
                                    "{device}/a\",\"status\":\"/s\"},"
                                    "{\"topic\":\"h/{device}/a\",\"status\":\"/t\"},{\"topic\":\"h/"
                                    "{device}/b\",\"status\":\"/t\"}]";
    char error[MAPPING_ERROR_SIZE];
    struct mappings mappings;
    struct buffer out = {0};

    assert_true(mapping_compile(&mappings, text, strlen(text), zone_load, error));
    assert_true(mapping_try_topics(&out, &mappings));
    assert_string_equal(buffer_text(&out), "z/#\nh/+/a\nh/+/b\n");
    buffer_release(&out);
    mappings_release(&mappings);
    (void)state;
}

/* ---- what the collector hears ---------------------------------------------------------------- */

struct heard_messages {
    size_t items;
    size_t faults;
    int64_t hashes[8];
    int64_t times_us[8];
};

static void on_item(void *user, const char *id, const struct reading_item *item)
{
    struct heard_messages *heard = user;

    assert_non_null(id); /* of what is rejected, too: the topic says it */
    assert_int_equal(item->reading != NULL, item->error == READING_OK);
    if (item->error) {
        heard->faults++;
    } else if (heard->items < 8) {
        heard->hashes[heard->items] = item->reading->content_hash;
        heard->times_us[heard->items] = item->reading->recorded_at_us;
    }
    heard->items++;
}

static struct heard_messages heard_on(const char *topic, const char *text, const char *payload,
                                      size_t most, size_t *calls)
{
    const struct reading_source source = {.received_at_us = now_us(),
                                          .first_received_at_us = now_us()};
    char error[MAPPING_ERROR_SIZE];
    struct reading_rules rules = {.earliest_us = 0, .future_tolerance_us = 60000000};
    struct heard_messages heard = {0};
    struct mappings mappings;
    struct features features;
    static const struct features none;
    struct mapping_run run;

    assert_true(mapping_compile(&mappings, text, strlen(text), zone_load, error));
    assert_true(mappings_features(&mappings, &none, &features, error));
    mappings_bind(&mappings, &features);
    rules.features = &features;
    mapping_run_init(&run, &mappings, &rules);
    assert_int_equal(mapping_begin(&run, &source, topic, payload, strlen(payload)), DECODER_READ);
    for (*calls = 1; mapping_take(&run, payload, strlen(payload), most, on_item, &heard); ++*calls)
        assert_int_equal(heard.items, *calls * most);
    mapping_run_release(&run);
    mappings_release(&mappings);
    return heard;
}

static struct heard_messages heard_of(const char *text, const char *payload, size_t most,
                                      size_t *calls)
{
    return heard_on("a/d", text, payload, most, calls);
}

static void test_mapping__items_come_in_parts(void **state)
{
    size_t calls;
    struct heard_messages heard = heard_of(
        "[{\"topic\":\"a/{device}\",\"each\":\"/*\",\"time\":\"/z\",\"features\":{\"t\":\"/t\"}}]",
        "[{\"t\":1},{\"t\":2},{\"t\":3,\"z\":\"no\"},{\"t\":4}]", 2, &calls);

    assert_int_equal(heard.items, 4);
    assert_int_equal(heard.faults, 1);
    assert_int_equal(calls, 2);
    assert_int_equal(heard.times_us[0], now_us());
    assert_int_equal(heard.times_us[2], now_us() + 2);
    (void)state;
}

/* What a message may cost is bounded, whoever makes it up. */
static void test_mapping__a_message_is_not_walked_over_without_end(void **state)
{
    enum { MEMBERS = 20000 };
    struct buffer payload = {0};
    struct heard_messages heard;
    size_t calls;

    buffer_put_text(&payload, "{\"v\":{\"first\":1");
    for (int i = 0; i < MEMBERS; i++)
        buffer_printf(&payload, ",\"k%d\":1", i);
    buffer_put_text(&payload, "},\"u\":{\"last\":1");
    for (int i = MEMBERS; i-- > 0;)
        buffer_printf(&payload, ",\"k%d\":1", i);
    buffer_put_text(&payload, "}}");
    heard = heard_of(
        "[{\"topic\":\"a/{device}\",\"each\":\"/v/*\",\"features\":{\"t\":\"^/u/{key}\"}}]",
        buffer_text(&payload), SIZE_MAX, &calls);
    assert_int_equal(heard.faults, 1);
    assert_true(heard.items > 100 && heard.items < MEMBERS / 2);
    buffer_release(&payload);
    (void)state;
}

static int64_t identity(const char *topic, const char *keys, const char *payload)
{
    char text[400];
    size_t calls;
    struct heard_messages heard;

    snprintf(text, sizeof(text), "[{\"topic\":\"a/{device}/{what*}\",%s}]", keys);
    heard = heard_on(topic, text, payload, 9, &calls);
    assert_int_equal(heard.faults, 0);
    return heard.hashes[heard.items - 1];
}

/* Of one device and moment, equal is what says the same thing in the same words. */
static void test_mapping__identity_is_of_all_that_a_reading_depends_on(void **state)
{
    static const char *const whole = "\"features\":{\"t\":\"/v\"}";
    static const char *const each = "\"each\":\"/*\",\"features\":{\"t\":\"/v\"}";
    static const char *const tags =
        "\"each\":\"/v/*\",\"feature\":{\"name\":\"{key}\",\"value\":\"\","
        "\"rename\":{\"a\":\"a\",\"b\":\"b\"}}";
    static const char *const lists =
        "\"each\":\"/*/*\",\"feature\":{\"name\":\"{key}\",\"value\":\"\","
        "\"rename\":{\"a\":\"a\",\"b\":\"b\"}}";
    static const char *const columns =
        "\"each\":\"/t/*\",\"features\":{\"t\":\"\",\"p\":\"^/p/{index}\"}";
    static const char *const values = "\"each\":\"/*\",\"features\":{\"t\":\"\"}";
    int64_t hash = identity("a/d/x", whole, "{\"v\":5}");

    assert_int_equal(identity("a/d/x", whole, " {\"v\":5}\n"), hash);
    assert_int_equal(identity("a/d/x", each, "[{\"v\":1}, {\"v\":5} ]"), hash);
    assert_int_not_equal(identity("a/d/y", whole, "{\"v\":5}"), hash);
    assert_int_not_equal(identity("a/d/x", whole, "{\"v\":5 }"), hash);
    assert_int_not_equal(identity("a/d/x", whole, "{\"v\":5,\"w\":1}"), hash);
    assert_int_equal(identity("a/d/x", tags, "{\"q\":1,\"v\":{\"a\":1}}"),
                     identity("a/d/x", tags, "{\"v\":{\"a\":1}}"));
    /* c may become a feature later */
    assert_int_not_equal(identity("a/d/x", tags, "{\"v\":{\"a\":1}}"),
                         identity("a/d/x", tags, "{\"v\":{\"c\":1,\"a\":1}}"));
    assert_int_not_equal(identity("a/d/x", tags, "{\"v\":{\"a\":1}}"),
                         identity("a/d/x", tags, "{\"v\":{\"b\":1}}"));
    assert_int_not_equal(identity("a/d/x", values, "{\"a\":1}"),
                         identity("a/d/x", values, "{\"b\":1}"));
    assert_int_not_equal(identity("a/d/x", lists, "{\"a\":[1]}"),
                         identity("a/d/x", lists, "{\"b\":[1]}"));
    assert_int_not_equal(identity("a/d/x", columns, "{\"t\":[1],\"p\":[1]}"),
                         identity("a/d/x", columns, "{\"t\":[1],\"p\":[2]}"));
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mapping__numbers_are_found_and_scaled),
        cmocka_unit_test(test_mapping__what_a_message_has_is_said_before_what_was_tried),
        cmocka_unit_test(test_mapping__statuses_are_mapped),
        cmocka_unit_test(test_mapping__devices_are_named),
        cmocka_unit_test(test_mapping__what_is_said_of_one_moment_is_one_reading),
        cmocka_unit_test(test_mapping__times_are_read_and_judged),
        cmocka_unit_test(test_mapping__the_first_that_fits_has_a_message),
        cmocka_unit_test(test_mapping__bytes_that_are_no_payload_are_rejected),
        cmocka_unit_test(test_mapping__a_message_is_not_walked_over_without_end),
        cmocka_unit_test(test_mapping__subscriptions_do_not_overlap_needlessly),
        cmocka_unit_test(test_mapping__items_come_in_parts),
        cmocka_unit_test(test_mapping__identity_is_of_all_that_a_reading_depends_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
