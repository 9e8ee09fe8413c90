#include "shared/net/kafka_url.h"

#include "shared/base/buffer.h"
#include "shared/base/mem.h"

#include <stdlib.h>
#include <string.h>

#define LETTERS_AND_DIGITS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

static bool is_port(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    long port = digits > 0 && digits <= 5 ? strtol(text, NULL, 10) : 0;

    return !text[digits] && port >= 1 && port <= 65535;
}

/* One host[:port]. */
static bool put_broker(struct buffer *out, char *broker)
{
    char *host_end = broker[0] == '[' ? strchr(broker, ']') : NULL;
    const char *colon = strchr(host_end ? host_end : broker, ':');
    size_t host_bytes = colon ? (size_t)(colon - broker) : strlen(broker);

    if (host_bytes == 0 || (colon && !is_port(colon + 1)))
        return false;
    if (broker[0] == '[' ? !host_end || host_end + 1 != broker + host_bytes || host_bytes < 4 ||
                               strspn(broker + 1, "0123456789abcdefABCDEF:.%") != host_bytes - 2
                         : strspn(broker, LETTERS_AND_DIGITS "._-") != host_bytes)
        return false;
    if (out->bytes > 0)
        buffer_put_text(out, ",");
    buffer_put_text(out, broker);
    if (!colon)
        buffer_put_text(out, ":9092");
    return true;
}

static bool parse_brokers(struct kafka_url *url, char *list)
{
    struct buffer out = {0};
    bool is_legal = true;

    for (char *next; is_legal && list; list = next) {
        next = strchr(list, ',');
        if (next)
            *next++ = '\0';
        is_legal = put_broker(&out, list);
    }
    url->brokers = mem_strdup(buffer_text(&out));
    buffer_release(&out);
    return is_legal;
}

static bool parse_params(struct kafka_url *url, char *list)
{
    for (char *next; list; list = next) {
        char *value = strchr(list, '=');

        next = strchr(list, '&');
        if (next)
            *next++ = '\0';
        if (!value || value == list || (next && value >= next - 1) || !value[1] ||
            url->param_count == KAFKA_URL_PARAMS_MAX)
            return false;
        *value++ = '\0';
        if (kafka_url_param(url, list))
            return false;
        url->params[url->param_count++] = (struct kafka_url_param){list, value};
    }
    return true;
}

static bool is_topic(const char *text)
{
    size_t bytes = strspn(text, LETTERS_AND_DIGITS "._-");

    return bytes > 0 && bytes <= KAFKA_TOPIC_MAX && !text[bytes] && strcmp(text, ".") != 0 &&
           strcmp(text, "..") != 0;
}

bool kafka_url_parse(struct kafka_url *url, const char *text)
{
    static const char scheme[] = "kafka://";
    char *brokers;
    char *topic;
    char *params;

    *url = (struct kafka_url){0};
    if (strncmp(text, scheme, sizeof(scheme) - 1) != 0 || strchr(text, '@'))
        return false;
    url->text = mem_strdup(text);
    brokers = url->text + sizeof(scheme) - 1;
    topic = strchr(brokers, '/');
    if (!topic)
        return false;
    *topic++ = '\0';
    params = strchr(topic, '?');
    if (params)
        *params++ = '\0';
    url->topic = mem_strdup(topic);
    return parse_brokers(url, brokers) && is_topic(topic) && parse_params(url, params);
}

void kafka_url_release(struct kafka_url *url)
{
    free(url->brokers);
    free(url->topic);
    free(url->text);
    *url = (struct kafka_url){0};
}

const char *kafka_url_param(const struct kafka_url *url, const char *name)
{
    for (size_t i = 0; i < url->param_count; i++) {
        if (strcmp(url->params[i].name, name) == 0)
            return url->params[i].value;
    }
    return NULL;
}
