#include "shared/base/config_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/temp_file.h"

/* "section.name=value" of each entry, with | behind it. */
static const char *entries_of(const char *text, size_t bytes, struct config_fault *fault)
{
    static char out[1000];
    struct config_file file;
    size_t used = 0;

    out[0] = '\0';
    if (!config_file_parse(&file, text, bytes, fault))
        return NULL;
    for (size_t i = 0; i < file.count; i++)
        used +=
            (size_t)snprintf(out + used, sizeof(out) - used, "%s.%s=%s|", file.entries[i].section,
                             file.entries[i].name, file.entries[i].value);
    config_file_release(&file);
    return out;
}

static void test_config_file__what_a_line_says(void **state)
{
    static const struct {
        const char *text;
        const char *entries;
    } cases[] = {
        {"", ""},
        {"\n\n  \t\n# all\n   # of it\n#A=1", ""},
        {"MQTT_URL = mqtt://here", ".mqtt-url=mqtt://here|"},
        {"MQTT_URL=mqtt://here\n", ".mqtt-url=mqtt://here|"},
        {"  mqtt-url\t=\tmqtt://here \t\n", ".mqtt-url=mqtt://here|"},
        {"HIGHWATER_MQTT_URL=a\nexport LINGER=1s", ".mqtt-url=a|.linger=1s|"},
        {"exported=1", ".exported=1|"},
        {"A=\nB= \nC=\"\"\nD=''", ".a=|.b=|.c=|.d=|"},
        {"A=\"x y\"\nB=' x '\nC=it's\nD=\"it's\"", ".a=x y|.b= x |.c=it's|.d=it's|"},
        {"A='a # b'\nB=devices/#\nC=#x\nD=a#b", ".a=a # b|.b=devices/#|.c=#x|.d=a#b|"},
        {"A='c:\\x'\nB=a\\b\nC=$HOME\nD=a=b", ".a=c:\\x|.b=a\\b|.c=$HOME|.d=a=b|"},
        {"A=1\r\nB=2\r\n", ".a=1|.b=2|"},
        {"\xef\xbb\xbf"
         "A=1",
         ".a=1|"},
        {"A=1\n[collector]\nA=2\n[ httpapi ]\nA=3\n[collector]\nB=4",
         ".a=1|collector.a=2|httpapi.a=3|collector.b=4|"},
        {"A=\xc3\xa4", ".a=\xc3\xa4|"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct config_fault fault;
        const char *entries = entries_of(cases[i].text, strlen(cases[i].text), &fault);

        if (!entries || strcmp(entries, cases[i].entries) != 0)
            fail_msg("%s: %s", cases[i].text, entries ? entries : fault.text);
    }
}

static void test_config_file__what_is_wrong_is_told_with_its_line(void **state)
{
    static const struct {
        const char *text;
        unsigned line;
        const char *word;
    } cases[] = {
        {"nonsense", 1, "neither"},
        {"\n\n= 1", 3, "neither"},
        {"A B = 1", 1, "neither"},
        {"\xc3\xa4=1", 1, "neither"},
        {"HIGHWATER_=1", 1, "neither"},
        {"A=1\nA=2", 2, "line 1"},
        {"MQTT_URL=1\nHIGHWATER_mqtt-url=2", 2, "line 1"},
        {"[x]\nA=1\n[y]\nA=1\n[x]\na=1", 6, "line 2"},
        {"A=1 # one", 1, "a blank and #"},
        {"A=1\t#one", 1, "a blank and #"},
        {"A=1\\", 1, "backslash"},
        {"A=\"1\\n\"", 1, "backslash"},
        {"A=\"1", 1, "not closed"},
        {"A='", 1, "not closed"},
        {"A='1' # one", 1, "follows"},
        {"A='a''b'", 1, "follows"},
        {"[collector", 1, "]"},
        {"[collector] # ours", 1, "]"},
        {"[", 1, "]"},
        {"[ ]", 1, "program"},
        {"A=1\rB=2\n", 1, "0x0d"},
        {"# \x1b[31m", 1, "0x1b"},
        {"A=\x7f", 1, "0x7f"},
    };
    struct config_fault fault;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (entries_of(cases[i].text, strlen(cases[i].text), &fault))
            fail_msg("%s was accepted", cases[i].text);
        if (fault.line != cases[i].line || !strstr(fault.text, cases[i].word))
            fail_msg("%s: %u: %s", cases[i].text, fault.line, fault.text);
    }
    assert_null(entries_of("A=1\nB=\0", 7, &fault));
    assert_int_equal(fault.line, 2);
    assert_non_null(strstr(fault.text, "0x00"));
}

static void test_config_file__no_fault_has_a_value_in_it(void **state)
{
    static const char *const cases[] = {"geheim", "A=\"geheim", "A=geheim # x", "A='x' geheim",
                                        "A=1\nA=geheim"};
    struct config_fault fault;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_null(entries_of(cases[i], strlen(cases[i]), &fault));
        assert_null(strstr(fault.text, "geheim"));
    }
}

static void test_config_file__a_long_line_is_taken_and_too_many_are_not(void **state)
{
    static char text[CONFIG_FILE_MOST_BYTES];
    struct config_file file;
    struct config_fault fault;
    size_t used = 0;

    (void)state;
    memset(text, 'x', sizeof(text));
    text[0] = 'A';
    text[1] = '=';
    assert_true(config_file_parse(&file, text, sizeof(text), &fault));
    assert_int_equal(strlen(file.entries[0].value), sizeof(text) - 2);
    config_file_release(&file);
    for (int i = 0; i <= CONFIG_FILE_MOST_ENTRIES; i++)
        used += (size_t)snprintf(text + used, sizeof(text) - used, "a%d=\n", i);
    assert_false(config_file_parse(&file, text, used, &fault));
    assert_int_equal(fault.line, CONFIG_FILE_MOST_ENTRIES + 1);
}

static void test_config_file__only_a_regular_file_of_some_size_is_read(void **state)
{
    struct temp_file *temp = *state;
    struct config_file file;
    struct config_fault fault;
    FILE *out = fopen(temp->path, "w");

    fputs("LINGER=1s\n", out);
    fclose(out);
    chmod(temp->path, 0600);
    assert_true(config_file_read(&file, temp->path, &fault));
    assert_int_equal(file.count, 1);
    assert_false(file.is_open);
    config_file_release(&file);
    chmod(temp->path, 0644);
    assert_true(config_file_read(&file, temp->path, &fault));
    assert_true(file.is_open);
    config_file_release(&file);
    assert_int_equal(truncate(temp->path, CONFIG_FILE_MOST_BYTES + 1), 0);
    assert_false(config_file_read(&file, temp->path, &fault));
    assert_non_null(strstr(fault.text, "1 MB"));
    remove(temp->path);
    assert_false(config_file_read(&file, temp->path, &fault));
    assert_int_equal(fault.line, 0);
    assert_int_equal(mkfifo(temp->path, 0600), 0);
    assert_false(config_file_read(&file, temp->path, &fault));
    assert_non_null(strstr(fault.text, "regular"));
    assert_false(config_file_read(&file, "/", &fault));
    assert_false(config_file_read(&file, "/dev/zero", &fault));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_config_file__what_a_line_says),
        cmocka_unit_test(test_config_file__what_is_wrong_is_told_with_its_line),
        cmocka_unit_test(test_config_file__no_fault_has_a_value_in_it),
        cmocka_unit_test(test_config_file__a_long_line_is_taken_and_too_many_are_not),
        cmocka_unit_test_setup_teardown(test_config_file__only_a_regular_file_of_some_size_is_read,
                                        temp_file_setup, temp_file_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
