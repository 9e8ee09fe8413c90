/* Any text as the URL of a broker, of a Redis and of a database: what is legal has all its parts, and put together
 * again they are the same; what is shown of it fits its place. */
#include "shared/base/buffer.h"
#include "shared/base/mem.h"
#include "shared/base/secret.h"
#include "shared/net/mqtt_url.h"
#include "shared/net/pg_url.h"
#ifdef HIGHWATER_REDIS
#include "collector/sinks/redis_url.h"
#endif

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void put_escaped(struct buffer *out, const char *text)
{
    for (; *text; text++)
        buffer_printf(out, "%%%02x", (unsigned char)*text);
}

static void put_url(struct buffer *out, const struct mqtt_url *url)
{
    if (url->port == 0) {
        buffer_printf(out, "unix://%s", url->host);
        return;
    }
    buffer_put_text(out, url->use_tls ? "mqtts://" : "mqtt://");
    if (url->username) {
        put_escaped(out, url->username);
        if (url->password) {
            buffer_put_text(out, ":");
            put_escaped(out, url->password);
        }
        buffer_put_text(out, "@");
    }
    buffer_printf(out, strpbrk(url->host, ":[") ? "[%s]:%d" : "%s:%d", url->host, url->port);
}

static bool is_same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static void check_mqtt(const char *text)
{
    struct mqtt_url url;
    struct mqtt_url again;
    struct buffer rebuilt = {0};

    if (mqtt_url_parse(&url, text)) {
        assert(url.port == 0 ? url.host[0] == '/' : url.host[0] && url.port <= 65535);
        assert(url.username || !url.password);
        put_url(&rebuilt, &url);
        assert(mqtt_url_parse(&again, buffer_text(&rebuilt)));
        assert(is_same(url.host, again.host) && url.port == again.port &&
               url.use_tls == again.use_tls && is_same(url.username, again.username) &&
               is_same(url.password, again.password));
        mqtt_url_release(&again);
        buffer_release(&rebuilt);
    }
    mqtt_url_release(&url);
}

#ifdef HIGHWATER_REDIS
static void put_redis_url(struct buffer *out, const struct redis_url *url)
{
    const struct url_authority *authority = &url->authority;
    bool is_socket = redis_url_is_socket(url);

    buffer_put_text(out, is_socket ? "unix://" : url->use_tls ? "rediss://" : "redis://");
    if (authority->username)
        put_escaped(out, authority->username);
    if (authority->password) {
        buffer_put_text(out, ":");
        put_escaped(out, authority->password);
    }
    if (authority->username || authority->password)
        buffer_put_text(out, "@");
    buffer_printf(out, strpbrk(authority->host, ":[") && !is_socket ? "[%s]" : "%s",
                  authority->host);
    if (!is_socket)
        buffer_printf(out, ":%d", authority->port);
    buffer_printf(out, is_socket ? "?db=%d" : "/%d", url->database);
}
#endif

static void check_redis(const char *text)
{
#ifdef HIGHWATER_REDIS
    struct redis_url url;
    struct redis_url again;
    struct buffer rebuilt = {0};

    if (redis_url_parse(&url, text)) {
        assert(redis_url_is_socket(&url) ? url.authority.host[0] == '/' : url.authority.host[0]);
        assert(url.authority.port <= 65535 && url.database <= REDIS_DATABASE_MAX);
        put_redis_url(&rebuilt, &url);
        assert(redis_url_parse(&again, buffer_text(&rebuilt)));
        assert(is_same(url.authority.host, again.authority.host) &&
               url.authority.port == again.authority.port && url.use_tls == again.use_tls &&
               url.database == again.database &&
               is_same(url.authority.username, again.authority.username) &&
               is_same(url.authority.password, again.authority.password));
        redis_url_release(&again);
        buffer_release(&rebuilt);
    }
    redis_url_release(&url);
#else
    (void)text;
#endif
}

static void check_pg(const char *text)
{
    struct pg_params params;
    struct pg_place place;
    char host[64];

    if (pg_url_flaw(text))
        return;
    if (pg_url_host(text, host, sizeof(host)))
        assert(host[0] && strlen(host) < sizeof(host));
    pg_hosts_choose(text, strlen(text) % 4, &place);
    pg_params_fill(&params, text, "fuzz", true, &place);
    assert(params.count < PG_PARAMS_MAX && !params.names[params.count]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    char *text = mem_strndup((const char *)data, bytes);
    char shown[80];

    assert(secret_url(shown, sizeof(shown), text) == shown && strlen(shown) < sizeof(shown));
    check_mqtt(text);
    check_redis(text);
    check_pg(text);
    free(text);
    return 0;
}
