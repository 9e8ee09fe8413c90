#include "shared/net/pg_hosts.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <string.h>

enum { LIST_BYTES = 1024 };

#define DEFAULT_PORT "5432"

struct lists {
    char host[LIST_BYTES];
    char hostaddr[LIST_BYTES];
    char port[LIST_BYTES];
    char attrs[32];
    size_t count; /* of hosts; 1 = not to be chosen from */
};

static size_t count_entries(const char *list)
{
    size_t count = *list != '\0';

    for (; *list; list++)
        count += *list == ',';
    return count;
}

static bool has_empty(const char *list)
{
    size_t bytes = strlen(list);

    return bytes > 0 && (list[0] == ',' || list[bytes - 1] == ',' || strstr(list, ",,"));
}

static void copy_entry(char *out, size_t out_bytes, const char *list, size_t number)
{
    for (; number > 0; number--)
        list = strchr(list, ',') + 1;
    snprintf(out, out_bytes, "%.*s", (int)strcspn(list, ","), list);
}

static void read_options(struct lists *out, const PQconninfoOption *option)
{
    for (; option && option->keyword; option++) {
        if (!option->val || !*option->val)
            continue;
        if (strcmp(option->keyword, "host") == 0)
            snprintf(out->host, sizeof(out->host), "%s", option->val);
        else if (strcmp(option->keyword, "hostaddr") == 0)
            snprintf(out->hostaddr, sizeof(out->hostaddr), "%s", option->val);
        else if (strcmp(option->keyword, "port") == 0)
            snprintf(out->port, sizeof(out->port), "%s", option->val);
        else if (strcmp(option->keyword, "target_session_attrs") == 0)
            snprintf(out->attrs, sizeof(out->attrs), "%s", option->val);
    }
}

static bool is_regular(const struct lists *lists)
{
    size_t hosts = count_entries(lists->host);
    size_t addresses = count_entries(lists->hostaddr);
    size_t ports = count_entries(lists->port);

    if (has_empty(lists->host) || has_empty(lists->hostaddr))
        return false;
    if (strlen(lists->host) == LIST_BYTES - 1 || strlen(lists->hostaddr) == LIST_BYTES - 1)
        return false; /* cut off, perhaps */
    return (hosts == 0 || addresses == 0 || hosts == addresses) &&
           (ports <= 1 || ports == hosts || ports == addresses);
}

static void read_lists(struct lists *out, const char *url)
{
    PQconninfoOption *defaults = PQconndefaults();
    PQconninfoOption *given = PQconninfoParse(url ? url : "", NULL);
    size_t hosts;

    *out = (struct lists){.count = 1};
    read_options(out, defaults);
    read_options(out, given);
    PQconninfoFree(defaults);
    PQconninfoFree(given);
    hosts = count_entries(*out->hostaddr ? out->hostaddr : out->host);
    if (given && hosts > 1 && is_regular(out))
        out->count = hosts;
}

static bool prefers_standby(const struct lists *lists)
{
    return strcmp(lists->attrs, "prefer-standby") == 0;
}

size_t pg_hosts_round(const char *url)
{
    struct lists lists;

    read_lists(&lists, url);
    return lists.count > 1 && prefers_standby(&lists) ? 2 * lists.count : lists.count;
}

void pg_hosts_choose(const char *url, size_t attempt, struct pg_place *out)
{
    struct lists lists;
    size_t number;

    read_lists(&lists, url);
    *out = (struct pg_place){.is_chosen = lists.count > 1};
    if (!out->is_chosen)
        return;
    number = attempt % lists.count;
    if (*lists.host)
        copy_entry(out->host, sizeof(out->host), lists.host, number);
    if (*lists.hostaddr)
        copy_entry(out->address, sizeof(out->address), lists.hostaddr, number);
    copy_entry(out->port, sizeof(out->port), lists.port,
               count_entries(lists.port) > 1 ? number : 0);
    if (!*out->port) /* a URL with two hosts and no port has "," */
        snprintf(out->port, sizeof(out->port), "%s", DEFAULT_PORT);
    if (prefers_standby(&lists))
        out->attrs = attempt < lists.count ? "standby" : "any";
}
