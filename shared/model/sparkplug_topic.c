#include "shared/model/sparkplug_topic.h"

#include <string.h>

static const char *const kinds[] = {
    [SPARKPLUG_NO_TOPIC] = "none", [SPARKPLUG_NBIRTH] = "NBIRTH", [SPARKPLUG_NDATA] = "NDATA",
    [SPARKPLUG_NDEATH] = "NDEATH", [SPARKPLUG_NCMD] = "NCMD",     [SPARKPLUG_DBIRTH] = "DBIRTH",
    [SPARKPLUG_DDATA] = "DDATA",   [SPARKPLUG_DDEATH] = "DDEATH", [SPARKPLUG_DCMD] = "DCMD",
    [SPARKPLUG_STATE] = "STATE",
};

enum { LEVELS = 5 };

const char *sparkplug_kind_text(enum sparkplug_message_kind kind)
{
    return kinds[kind];
}

static bool is(const struct sparkplug_text *level, const char *text)
{
    return level->bytes == strlen(text) && memcmp(level->text, text, level->bytes) == 0;
}

static enum sparkplug_message_kind find_kind(const struct sparkplug_text *level)
{
    for (int kind = SPARKPLUG_NBIRTH; kind < SPARKPLUG_STATE; kind++) {
        if (is(level, kinds[kind]))
            return (enum sparkplug_message_kind)kind;
    }
    return SPARKPLUG_NO_TOPIC;
}

/* How many there are; of more than LEVELS one too many. */
static size_t split(struct sparkplug_text *levels, const char *topic)
{
    size_t count = 0;

    for (const char *at = topic; count < LEVELS; at++) {
        size_t bytes = strcspn(at, "/");

        levels[count++] = (struct sparkplug_text){at, bytes};
        at += bytes;
        if (!*at)
            return count;
    }
    return LEVELS + 1;
}

struct sparkplug_topic sparkplug_topic_parse(const char *topic)
{
    struct sparkplug_topic out = {.kind = SPARKPLUG_NO_TOPIC, .device = {"", 0}};
    struct sparkplug_text levels[LEVELS];
    size_t count = split(levels, topic);

    if (count < 3 || count > LEVELS || !is(&levels[0], SPARKPLUG_NAMESPACE))
        return out;
    if (count == 3) {
        out.kind = is(&levels[1], kinds[SPARKPLUG_STATE]) ? SPARKPLUG_STATE : SPARKPLUG_NO_TOPIC;
        return out;
    }
    for (size_t i = 1; i < count; i++) {
        if (levels[i].bytes == 0)
            return out;
    }
    out.group = levels[1];
    out.edge = levels[3];
    if (count == LEVELS)
        out.device = levels[4];
    out.kind = find_kind(&levels[2]);
    if ((count == LEVELS) != (out.kind >= SPARKPLUG_DBIRTH))
        out.kind = SPARKPLUG_NO_TOPIC;
    return out;
}
