#include "shared/net/pg_hosts.h"

#include "shared/net/pg_url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct place {
    const char *host;
    const char *address;
    const char *port;
    const char *attrs;
};

static void assert_places(const char *url, const struct place *places, size_t count)
{
    assert_null(pg_url_flaw(url));
    assert_int_equal(pg_hosts_round(url), count);
    for (size_t i = 0; i < count; i++) {
        struct pg_place place;

        pg_hosts_choose(url, i, &place);
        assert_true(place.is_chosen);
        assert_string_equal(place.host, places[i].host);
        assert_string_equal(place.address, places[i].address);
        assert_string_equal(place.port, places[i].port);
        if (places[i].attrs)
            assert_string_equal(place.attrs, places[i].attrs);
        else
            assert_null(place.attrs);
    }
}

static void test_pg_hosts__each_is_tried_in_its_turn(void **state)
{
    const struct place in_url[] = {{"a", "", "5432", NULL}, {"b.example", "", "5432", NULL}};
    const struct place ports[] = {{"a", "", "5433", NULL}, {"::1", "", "5434", NULL}};
    const struct place one_port[] = {{"/run", "", "7", NULL}, {"b", "", "7", NULL}};
    const struct place addresses[] = {{"a", "10.0.0.1", "5432", NULL},
                                      {"b", "10.0.0.2", "5432", NULL}};
    const struct place nameless[] = {{"", "10.0.0.1", "5432", NULL},
                                     {"", "10.0.0.2", "5432", NULL}};

    (void)state;
    assert_places("postgresql://u@a,b.example/db?target_session_attrs=read-write", in_url, 2);
    assert_places("postgresql://u@a:5433,[::1]:5434/db", ports, 2);
    assert_places("host=/run,b port=7", one_port, 2);
    assert_places("host=a,b hostaddr=10.0.0.1,10.0.0.2", addresses, 2);
    assert_places("hostaddr=10.0.0.1,10.0.0.2", nameless, 2);
}

static void test_pg_hosts__a_standby_is_preferred_in_a_first_round(void **state)
{
    const struct place places[] = {{"a", "", "5432", "standby"},
                                   {"b", "", "5432", "standby"},
                                   {"a", "", "5432", "any"},
                                   {"b", "", "5432", "any"}};

    (void)state;
    assert_places("host=a,b target_session_attrs=prefer-standby", places, 4);
}

static void test_pg_hosts__the_environment_counts_where_the_url_says_nothing(void **state)
{
    const struct place places[] = {{"e1", "", "1", NULL}, {"e2", "", "2", NULL}};
    struct pg_place place;

    (void)state;
    setenv("PGHOST", "e1,e2", 1);
    setenv("PGPORT", "1,2", 1);
    assert_places("dbname=x", places, 2);
    pg_hosts_choose("host=only port=5", 0, &place);
    assert_false(place.is_chosen);
    unsetenv("PGHOST");
    unsetenv("PGPORT");
}

static void test_pg_hosts__what_is_no_plain_list_is_left_to_libpq(void **state)
{
    static const char *const urls[] = {
        "",
        "host=a",
        "host=a,",
        "host=,b",
        "host=a,,b",
        "host=a,b port=1,2,3",
        "host=a,b,c hostaddr=10.0.0.1,10.0.0.2",
        "service=x",
        "host=a,b nonsense",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        struct pg_place place;

        assert_int_equal(pg_hosts_round(urls[i]), 1);
        pg_hosts_choose(urls[i], 0, &place);
        assert_false(place.is_chosen);
        assert_string_equal(place.host, "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pg_hosts__each_is_tried_in_its_turn),
        cmocka_unit_test(test_pg_hosts__a_standby_is_preferred_in_a_first_round),
        cmocka_unit_test(test_pg_hosts__the_environment_counts_where_the_url_says_nothing),
        cmocka_unit_test(test_pg_hosts__what_is_no_plain_list_is_left_to_libpq),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
