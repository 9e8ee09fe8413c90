#include "httpapi/target.h"

#include <string.h>
#include <strings.h>

struct target target_split(const char *text)
{
    struct target target;

    /* A proxy's form: http://host/path. The authority is the proxy's affair. */
    if (strncasecmp(text, "http://", 7) == 0 || strncasecmp(text, "https://", 8) == 0) {
        text = strchr(text, '/') + 2;
        text += strcspn(text, "/?");
    }
    target.path = *text == '?' || !*text ? "/" : text;
    target.path_bytes = *text == '?' || !*text ? 1 : strcspn(text, "?");
    target.query = strchr(text, '?');
    if (target.query)
        target.query++;
    return target;
}

bool target_matches(const struct target *target, const char *pattern, const char **segment,
                    size_t *segment_bytes)
{
    const char *path = target->path;
    const char *end = path + target->path_bytes;

    while (*pattern && path < end) {
        if (*pattern == '{') {
            const char *from = path;

            while (path < end && *path != '/')
                path++;
            if (path == from)
                return false;
            *segment = from;
            *segment_bytes = (size_t)(path - from);
            pattern += strcspn(pattern, "}") + 1;
        } else if (*pattern++ != *path++) {
            return false;
        }
    }
    return !*pattern && path == end;
}
