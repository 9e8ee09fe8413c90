#include "shared/net/mqtt_url.h"

#include "shared/base/mem.h"
#include "shared/net/url_authority.h"

#include <stdlib.h>
#include <string.h>

static bool parse_authority(struct mqtt_url *url, const char *text)
{
    const char *end = text + strcspn(text, "/");
    struct url_authority authority;
    bool is_legal;

    if (*end && end[1])
        return false; /* a path means nothing to MQTT */
    is_legal = url_authority_parse(&authority, text, (size_t)(end - text));
    url->host = authority.host;
    url->username = authority.username;
    url->password = authority.password;
    if (authority.port > 0)
        url->port = authority.port;
    return is_legal;
}

bool mqtt_url_parse(struct mqtt_url *url, const char *text)
{
    *url = (struct mqtt_url){0};
    if (strncmp(text, "unix://", 7) == 0) {
        const char *colon = strchr(text + 7, ':');

        url->host = mem_strdup(text + 7);
        return url->host[0] == '/' && !(colon && strchr(colon, '@')); /* user:password@: no path */
    }
    url->use_tls = strncmp(text, "mqtts://", 8) == 0;
    if (!url->use_tls && strncmp(text, "mqtt://", 7) != 0)
        return false;
    url->port = url->use_tls ? 8883 : 1883;
    return parse_authority(url, strstr(text, "://") + 3);
}

void mqtt_url_release(struct mqtt_url *url)
{
    free(url->host);
    free(url->username);
    free(url->password);
    *url = (struct mqtt_url){0};
}
