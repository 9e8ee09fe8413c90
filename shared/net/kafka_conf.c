/* librdkafka says of a number what its range is, but of a word only that it is not the right one. What it
 * would take stands in the table that it prints as its documentation, so that is looked up. */
#include "shared/net/kafka_conf.h"

#include "shared/base/log.h"
#include "shared/base/regular_file.h"
#include "shared/base/trim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLANKS " \t\r\n"

enum { LINE_MOST = 8192, SHOWN_SIZE = 80 };

/* Each under all its names. The rest of what may not be set (callbacks) librdkafka refuses itself. */
static const struct kafka_property of_every_link[] = {
    {.name = "bootstrap.servers", .is_ours = true},
    {.name = "metadata.broker.list", .is_ours = true},
    {.name = "log.queue", .is_ours = true},
    {.name = "log.thread.name", .is_ours = true},
    {.name = "enable.random.seed", .is_ours = true},
    {.name = "opaque", .is_ours = true},
    {0},
};

struct place {
    const char *file;
    unsigned line;
    char *error;
    size_t error_bytes;
};

static bool is_listed(const struct kafka_property *table, const char *name)
{
    for (; table->name; table++) {
        if (table->is_ours && strcmp(table->name, name) == 0)
            return true;
    }
    return false;
}

static bool is_secret(const char *name)
{
    static const char *const parts[] = {"password", "secret", "pem", "oauthbearer", "jaas"};

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (strstr(name, parts[i]))
            return true;
    }
    return false;
}

/* Of the line "name | C/P | range | default | ..." what stands in the third column. */
static bool find_range(char *line, const char *name, char *out, size_t out_bytes)
{
    char *columns[3];

    for (size_t i = 0; i < 3; i++) {
        columns[i] = line;
        line = strchr(line, '|');
        if (!line)
            return false;
        *line++ = '\0';
    }
    if (strcmp(trim(columns[0], BLANKS), name) != 0)
        return false;
    snprintf(out, out_bytes, "%s", trim(columns[2], BLANKS));
    return out[0] != '\0';
}

/* False when it is not known. */
static bool legal_values(const char *name, char *out, size_t out_bytes)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *file = open_memstream(&text, &bytes);
    bool found = false;
    char *next;

    if (!file)
        return false;
    rd_kafka_conf_properties_show(file);
    fclose(file);
    for (char *line = text; line && !found; line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        found = find_range(line, name, out, out_bytes);
    }
    free(text);
    return found;
}

static bool refuse_value(const struct place *place, const char *name, const char *value,
                         const char *why)
{
    char shown[SHOWN_SIZE];
    char legal[200];
    bool has_legal = legal_values(name, legal, sizeof(legal));

    if (is_secret(name))
        snprintf(place->error, place->error_bytes, "%s:%u: %s: its value is not legal", place->file,
                 place->line, name);
    else
        snprintf(place->error, place->error_bytes, "%s:%u: %s: \"%s\" is not legal: %s%s",
                 place->file, place->line, name,
                 log_escaped(shown, sizeof(shown), value, strlen(value)),
                 has_legal ? "one of or within " : "", has_legal ? legal : why);
    return false;
}

static bool set_from_file(rd_kafka_conf_t *conf, const struct kafka_property *table,
                          const struct place *place, const char *name, const char *value)
{
    char shown[SHOWN_SIZE];
    char why[256];

    log_escaped(shown, sizeof(shown), name, strlen(name));
    if (is_listed(table, name) || is_listed(of_every_link, name)) {
        snprintf(place->error, place->error_bytes,
                 "%s:%u: %s is not legal here: it is set by this program, or made of the URL",
                 place->file, place->line, shown);
        return false;
    }
    switch (rd_kafka_conf_set(conf, name, value, why, sizeof(why))) {
    case RD_KAFKA_CONF_OK:
        return true;
    case RD_KAFKA_CONF_UNKNOWN:
        snprintf(place->error, place->error_bytes,
                 "%s:%u: \"%s\" is not legal: librdkafka %s has no property of this name",
                 place->file, place->line, shown, rd_kafka_version_str());
        return false;
    default:
        return refuse_value(place, name, value, why);
    }
}

static bool take_line(rd_kafka_conf_t *conf, const struct kafka_property *table,
                      const struct place *place, char *line)
{
    char *name = trim(line, BLANKS);
    char *equals;

    if (!*name || *name == '#')
        return true;
    equals = strchr(name, '=');
    if (!equals || equals == name) { /* it may be a password: not shown */
        snprintf(place->error, place->error_bytes,
                 "%s:%u: the line is not legal: name=value, as librdkafka has them, or # and a "
                 "comment",
                 place->file, place->line);
        return false;
    }
    *equals = '\0';
    return set_from_file(conf, table, place, trim(name, BLANKS), trim(equals + 1, BLANKS));
}

static bool take_file(rd_kafka_conf_t *conf, const struct kafka_property *table, const char *path,
                      char *error, size_t error_bytes)
{
    struct place place = {.file = path, .error = error, .error_bytes = error_bytes};
    struct stat about;
    const char *flaw = "no memory";
    int fd = regular_file_open(path, &about, &flaw);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
    char line[LINE_MOST];
    bool is_good = true;

    if (!file) {
        snprintf(error, error_bytes, "%s cannot be read: %s", path, flaw);
        return false;
    }
    while (is_good && fgets(line, sizeof(line), file)) {
        place.line++;
        if (!strchr(line, '\n') && !feof(file)) {
            snprintf(error, error_bytes, "%s:%u: the line is not legal: it is longer than %d bytes",
                     path, place.line, LINE_MOST - 2);
            is_good = false;
        } else {
            is_good = take_line(conf, table, &place, line);
        }
    }
    fclose(file);
    return is_good;
}

bool kafka_conf_fill(rd_kafka_conf_t *conf, const struct kafka_property *table, const char *file,
                     char *error, size_t error_bytes)
{
    char why[256];

    for (const struct kafka_property *property = table; property->name; property++) {
        if (!property->value || rd_kafka_conf_set(conf, property->name, property->value, why,
                                                  sizeof(why)) == RD_KAFKA_CONF_OK)
            continue;
        snprintf(error, error_bytes, "librdkafka %s does not take %s=%s, which we need: %s",
                 rd_kafka_version_str(), property->name, property->value, why);
        return false;
    }
    return !file || !*file || take_file(conf, table, file, error, error_bytes);
}
