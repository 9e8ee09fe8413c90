#include "collector/sources/kafka_source.h"

#include "collector/mqtt_identity.h"
#include "shared/base/buffer.h"
#include "shared/base/mem.h"
#include "shared/model/record.h"

#include <string.h>

static void add_property(struct kafka_source *k, const char *name, const char *value, bool is_ours)
{
    size_t at = 0;

    while (k->properties[at].name)
        at++;
    k->properties[at] = (struct kafka_property){name, value, is_ours};
}

static void fill_properties(struct kafka_source *k)
{
    static const struct kafka_property fixed[] = {
        /* what is stored moves with the readings, not with the group */
        {"enable.auto.commit", "false", true},
        {"enable.auto.offset.store", "false", true},
        {"auto.offset.reset", "error", true},
        {"partition.assignment.strategy", "cooperative-sticky", true},
        {"isolation.level", "read_committed", true},
        {"enable.partition.eof", "true", true},
        {"allow.auto.create.topics", "false", true},
        {"session.timeout.ms", "6000", false},
        {"heartbeat.interval.ms", "500", false},
        {"topic.metadata.refresh.interval.ms", "10000", false},
        {"queued.min.messages", "1000000", false}, /* so that what counts is the size of them */
        {"queued.max.messages.kbytes", "65536", false},
    };

    add_property(k, "group.id", k->partitions.group, true);
    add_property(k, "group.instance.id", *k->member ? k->member : NULL, true);
    for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
        add_property(k, fixed[i].name, fixed[i].value, fixed[i].is_ours);
}

static char *joined(const char *a, const char *b)
{
    struct buffer text = {0};
    char *result;

    buffer_printf(&text, "%s%s", a, b);
    result = mem_strdup(buffer_text(&text));
    buffer_release(&text);
    return result;
}

/* NULL when all is as it should be. */
static const char *read_url(struct kafka_source *k, const char *text)
{
    const char *group;
    const char *member;

    if (!kafka_url_parse(&k->url, text))
        return SOURCE_URL_LEGAL;
    for (size_t i = 0; i < k->url.param_count; i++) {
        if (strcmp(k->url.params[i].name, "group") != 0 &&
            strcmp(k->url.params[i].name, "member") != 0)
            return SOURCE_URL_LEGAL;
    }
    group = kafka_url_param(&k->url, "group");
    member = kafka_url_param(&k->url, "member");
    if ((group && !mqtt_identity_is_legal(group)) || (member && !mqtt_identity_is_legal(member)))
        return SOURCE_URL_LEGAL;
    k->partitions.group = group ? group : "highwater";
    k->member = member ? member : k->source.config.settings->collector_id;
    if (strcmp(k->member, "-") == 0)
        k->member = "";
    return NULL;
}

const char *kafka_settings_read(struct kafka_source *k, const char *url)
{
    const char *flaw = read_url(k, url);

    if (flaw)
        return flaw;
    k->topics[0] = mem_strdup(k->url.topic);
    k->topics[1] = joined(k->url.topic, RECORD_REJECTED_SUFFIX);
    fill_properties(k);
    return NULL;
}
