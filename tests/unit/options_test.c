#include "shared/base/options_inner.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/temp_file.h"

static const char *url;
static uint64_t count;
static int64_t wait_us;
static uint64_t bytes;
static bool verbose;
static bool migrate;

static const struct program program = {.name = "options_test", .summary = "A test."};
static const struct option options[] = {
    {"some-url", OPTION_TEXT, &url, "mqtt://here", 0, 0, "URL", "where", false},
    {"num-things", OPTION_COUNT, &count, "10", 1, 100, "N", "how many", false},
    {"wait", OPTION_DURATION, &wait_us, "10ms", 0, 1e6, "TIME", "how long", false},
    {"buffer", OPTION_BYTES, &bytes, "64k", 0, 0, "BYTES", "how much", false},
    {"verbose", OPTION_SWITCH, &verbose, "0", 0, 0, NULL, "say more", false},
    {"migrate", OPTION_SWITCH, &migrate, NULL, 0, 0, NULL, "only that", true},
    {0}};

static int parse(const char *arg, const char *value)
{
    static char name[] = "options_test";
    char *argv[] = {name, (char *)arg, (char *)value, NULL};

    migrate = false;
    return options_parse(&program, options, arg ? value ? 3 : 2 : 1, argv);
}

static void test_options__defaults_then_environment_then_flag(void **state)
{
    (void)state;
    assert_int_equal(parse(NULL, NULL), -1);
    assert_int_equal(count, 10);
    assert_string_equal(url, "mqtt://here");
    assert_int_equal(wait_us, 10000);
    assert_int_equal(bytes, 65536);
    setenv("NUM_THINGS", "20", 1);
    assert_int_equal(parse(NULL, NULL), -1);
    assert_int_equal(count, 20);
    assert_int_equal(parse("--num-things", "30"), -1);
    assert_int_equal(count, 30);
    assert_int_equal(parse("--num_things=40", NULL), -1);
    assert_int_equal(count, 40);
    setenv("NUM_THINGS", "", 1);
    assert_int_equal(parse(NULL, NULL), -1);
    assert_int_equal(count, 10);
    unsetenv("NUM_THINGS");
}

/* What they print goes to standard output, which cmocka leaves alone. */
static void test_options__requests_are_answered_whatever_else_is_wrong(void **state)
{
    static const char *const flags[] = {"--num-things=0", "--no-such-thing", "--num-things",
                                        "--buffer=lots"};
    static const char *const requests[] = {"--help", "-h", "--version"};

    (void)state;
    setenv("NUM_THINGS", "0", 1);
    for (size_t q = 0; q < sizeof(requests) / sizeof(requests[0]); q++) {
        assert_int_equal(parse(requests[q], NULL), 0);
        for (size_t f = 0; f < sizeof(flags) / sizeof(flags[0]); f++) {
            assert_int_equal(parse(flags[f], requests[q]), 0);
            assert_int_equal(parse(requests[q], flags[f]), 0);
        }
    }
    assert_int_equal(parse(NULL, NULL), 2);
    unsetenv("NUM_THINGS");
}

static void test_options__what_is_not_legal_ends_with_status_2(void **state)
{
    static const char *const cases[][2] = {
        {"--num-things", "0"},  {"--num-things", "101"}, {"--num-things", "x"},
        {"--num-things", "-1"}, {"--num-things", "1.5"}, {"--num-things", ""},
        {"--wait", "2s"},       {"--wait", "soon"},      {"--buffer", "1T"},
        {"--verbose=maybe", 0}, {"--num-things", 0},     {"--unknown", 0},
        {"stray", 0},           {"--num", "5"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (parse(cases[i][0], cases[i][1]) != 2)
            fail_msg("%s %s was accepted", cases[i][0], cases[i][1] ? cases[i][1] : "");
    }
    setenv("NUM_THINGS", "many", 1);
    assert_int_equal(parse(NULL, NULL), 2);
    unsetenv("NUM_THINGS");
}

static void test_options__sizes(void **state)
{
    static const struct {
        const char *text;
        uint64_t bytes;
    } legal[] = {{"0", 0},
                 {"1000", 1000},
                 {"7B", 7},
                 {"64k", 65536},
                 {"64K", 65536},
                 {"64kB", 65536},
                 {"256MB", 1 << 28},
                 {"256MiB", 1 << 28},
                 {"3G", UINT64_C(3) << 30},
                 {"1GB", 1 << 30},
                 {"17179869183G", UINT64_C(17179869183) << 30}};
    static const char *const illegal[] = {"",     "k",     "-1",           "1.5M", "1T",
                                          "64m",  "64kBB", "6ki",          "6iB",  "64 k",
                                          "64kk", "MB1",   "17179869184G", "1e6"};

    (void)state;
    for (size_t i = 0; i < sizeof(legal) / sizeof(legal[0]); i++) {
        assert_int_equal(parse("--buffer", legal[i].text), -1);
        assert_int_equal(bytes, legal[i].bytes);
    }
    for (size_t i = 0; i < sizeof(illegal) / sizeof(illegal[0]); i++)
        if (parse("--buffer", illegal[i]) != 2)
            fail_msg("%s was accepted", illegal[i]);
}

static void test_options__switches(void **state)
{
    (void)state;
    assert_int_equal(parse("--verbose", NULL), -1);
    assert_true(verbose);
    assert_int_equal(parse("--verbose=off", NULL), -1);
    assert_false(verbose);
    setenv("MIGRATE", "1", 1); /* an action, not a setting */
    assert_int_equal(parse(NULL, NULL), -1);
    assert_false(migrate);
    unsetenv("MIGRATE");
    assert_int_equal(parse("--migrate", NULL), -1);
    assert_true(migrate);
}

/* ---- a file of settings, which is for real programs ---- */

static const char *listen;
static uint64_t batch;
static int64_t linger_us;
static bool lowest;
static const char *password_file;

static const struct program real = {.name = "collector", .summary = "A test."};
static const struct option real_options[] = {
    {.name = "metrics-listen", .kind = OPTION_TEXT, .target = &listen, .fallback = "here"},
    {.name = "batch-size", .kind = OPTION_COUNT, .target = &batch, .fallback = "1", .most = 100},
    {.name = "linger", .kind = OPTION_DURATION, .target = &linger_us, .fallback = "1s"},
    {.name = "lowest", .kind = OPTION_SWITCH, .target = &lowest, .fallback = "0"},
    {.name = "mqtt-password-file", .kind = OPTION_SECRET_FILE, .target = &password_file},
    {0}};

/* Parses with a file that says `text`. */
static int parse_file(const struct temp_file *file, const char *text, const char *flag)
{
    static char name[] = "collector";
    char config[100];
    char *argv[] = {name, config, (char *)flag, NULL};
    FILE *out = fopen(file->path, "w");

    fputs(text, out);
    fclose(out);
    snprintf(config, sizeof(config), "--config=%s", file->path);
    return options_parse(&real, real_options, flag ? 3 : 2, argv);
}

static void test_options__flag_then_environment_then_section_then_common_part(void **state)
{
    static const char text[] = "batch-size = 2\nLINGER = 2s\nMETRICS_LISTEN='x y'\nLOWEST=yes\n"
                               "HTTP_LISTEN=another's\n[httpapi]\nHTTP_LISTEN=too\n"
                               "[collector]\nBATCH_SIZE=3\nLOWEST=\n";

    assert_int_equal(parse_file(*state, text, NULL), -1);
    assert_int_equal(batch, 3);
    assert_int_equal(linger_us, 2000000);
    assert_string_equal(listen, "x y");
    assert_true(lowest);
    setenv("BATCH_SIZE", "4", 1);
    setenv("LINGER", "", 1);
    assert_int_equal(parse_file(*state, text, NULL), -1);
    assert_int_equal(batch, 4);
    assert_int_equal(linger_us, 2000000);
    setenv("HIGHWATER_BATCH_SIZE", "5", 1);
    assert_int_equal(parse_file(*state, text, NULL), -1);
    assert_int_equal(batch, 5);
    setenv("HIGHWATER_BATCH_SIZE", "", 1);
    assert_int_equal(parse_file(*state, text, NULL), -1);
    assert_int_equal(batch, 4);
    assert_int_equal(parse_file(*state, text, "--batch-size=6"), -1);
    assert_int_equal(batch, 6);
    unsetenv("BATCH_SIZE");
    unsetenv("LINGER");
    unsetenv("HIGHWATER_BATCH_SIZE");
}

static void test_options__a_file_is_read_where_flag_or_variable_say_so(void **state)
{
    static char name[] = "collector";
    static char level[] = "--metrics-listen";
    static char look_alike[] = "--config=/no/such";
    struct temp_file *file = *state;
    char *none[] = {name, NULL};
    char *value[] = {name, level, look_alike, NULL};

    assert_int_equal(parse_file(file, "BATCH_SIZE=7", NULL), -1);
    assert_int_equal(options_parse(&real, real_options, 1, none), -1);
    assert_int_equal(batch, 1);
    setenv("HIGHWATER_CONFIG", file->path, 1);
    assert_int_equal(options_parse(&real, real_options, 1, none), -1);
    assert_int_equal(batch, 7);
    assert_int_equal(options_parse(&real, real_options, 3, value), -1);
    assert_string_equal(listen, look_alike);
    setenv("HIGHWATER_CONFIG", "/no/such", 1);
    assert_int_equal(options_parse(&real, real_options, 1, none), 2);
    assert_int_equal(parse_file(file, "BATCH_SIZE=8", NULL), -1);
    assert_int_equal(batch, 8);
    setenv("HIGHWATER_CONFIG", "", 1);
    assert_int_equal(options_parse(&real, real_options, 1, none), -1);
    unsetenv("HIGHWATER_CONFIG");
}

static void test_options__a_file_with_a_wrong_name_or_value_ends_with_status_2(void **state)
{
    static const char *const texts[] = {"BATCHSIZE=1",
                                        "[colector]\nBATCH_SIZE=1",
                                        "[httpapi]\nBATCH_SIZE=1",
                                        "[devicesim]\nNO_SUCH=1",
                                        "MIGRATE=1",
                                        "CONFIG=/x",
                                        "BATCH_SIZE=101",
                                        "LOWEST=maybe",
                                        "LOG_LEVEL=loud",
                                        "nonsense"};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (parse_file(*state, texts[i], NULL) != 2)
            fail_msg("%s was accepted", texts[i]);
    }
}

static void test_options__a_credential_of_systemd_counts_least(void **state)
{
    static char name[] = "collector";
    char folder[] = "/tmp/options_test.XXXXXX";
    char path[100];
    char *none[] = {name, NULL};

    assert_non_null(mkdtemp(folder));
    setenv("CREDENTIALS_DIRECTORY", folder, 1);
    password_file = NULL;
    assert_int_equal(options_parse(&real, real_options, 1, none), -1);
    assert_null(password_file);
    snprintf(path, sizeof(path), "%s/highwater_mqtt-password", folder);
    fclose(fopen(path, "w"));
    assert_int_equal(options_parse(&real, real_options, 1, none), -1);
    assert_string_equal(password_file, path);
    assert_int_equal(parse_file(*state, "MQTT_PASSWORD_FILE=/x", NULL), -1);
    assert_string_equal(password_file, "/x");
    unsetenv("CREDENTIALS_DIRECTORY");
    remove(path);
    remove(folder);
}

static void test_options__of_names_the_nearest_is_told(void **state)
{
    (void)state;
    assert_int_equal(option_distance("", "abc"), 3);
    assert_int_equal(option_distance("mqtt-url", "mqtt-url"), 0);
    assert_int_equal(option_distance("mqtt-ulr", "mqtt-url"), 2);
    assert_int_equal(option_distance("kitten", "sitting"), 3);
    assert_string_equal(option_nearest("mqtt-ulr", ""), "mqtt-url");
    assert_string_equal(option_nearest("batchsize", "collector"), "batch-size");
    assert_string_equal(option_nearest("metric-listen", "httpapi"), "http-listen");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options__defaults_then_environment_then_flag),
        cmocka_unit_test(test_options__requests_are_answered_whatever_else_is_wrong),
        cmocka_unit_test(test_options__what_is_not_legal_ends_with_status_2),
        cmocka_unit_test(test_options__sizes),
        cmocka_unit_test(test_options__switches),
        cmocka_unit_test_setup_teardown(
            test_options__flag_then_environment_then_section_then_common_part, temp_file_setup,
            temp_file_teardown),
        cmocka_unit_test_setup_teardown(test_options__a_file_is_read_where_flag_or_variable_say_so,
                                        temp_file_setup, temp_file_teardown),
        cmocka_unit_test_setup_teardown(
            test_options__a_file_with_a_wrong_name_or_value_ends_with_status_2, temp_file_setup,
            temp_file_teardown),
        cmocka_unit_test_setup_teardown(test_options__a_credential_of_systemd_counts_least,
                                        temp_file_setup, temp_file_teardown),
        cmocka_unit_test(test_options__of_names_the_nearest_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
