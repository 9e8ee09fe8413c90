#include "devicesim/identity.h"

#include "shared/base/mem.h"
#include "shared/base/timestamp.h"
#include "shared/model/topic.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Of the topic of a device's last will; what comes before it is as in its readings' topic. */
#define STATUS_SUFFIX "/status"
#define ABOUT_SUFFIX "/about"

void identity_suffix(char *out)
{
    snprintf(out, IDENTITY_SUFFIX_SIZE, "%06" PRIx64,
             (uint64_t)(timestamp_now() ^ ((int64_t)getpid() << 20)) & 0xffffff);
}

/* Beside that of its readings; NULL when that has the suffix: it would be read as a reading. */
static char *topic_beside(const struct topic_filter *topic, const char *device_id,
                          const char *suffix)
{
    struct buffer beside = {0};
    char *text;

    if (strcmp(topic->suffix, suffix) == 0)
        return NULL;
    buffer_put(&beside, topic->prefix, topic->prefix_bytes);
    buffer_put_text(&beside, device_id);
    buffer_put_text(&beside, suffix);
    text = mem_strdup(buffer_text(&beside));
    buffer_release(&beside);
    return text;
}

/* Four halls, and in each a row of machines. */
static char *about_of(size_t which)
{
    char text[160];
    char hall = (char)('A' + which % 4);

    snprintf(
        text, sizeof(text),
        "{\"label\":\"Machine %c%zu\",\"group\":\"Hall %c\",\"location\":\"Hall %c, place %zu\"}",
        hall, which / 4 + 1, hall, hall, which / 4 + 1);
    return mem_strdup(text);
}

void identity_of(const struct settings *settings, const char *suffix, size_t which,
                 struct publisher_identity *out)
{
    char id[DEVICE_ID_SIZE];
    char client_id[DEVICE_ID_SIZE + 32];

    out->flaps = fault_has_trait(&settings->faults, FAULT_FLAPPING, which);
    if (!settings->has_own_connections) {
        snprintf(client_id, sizeof(client_id), "devicesim-%s-%zu", suffix, which);
        out->client_id = mem_strdup(client_id);
        return;
    }
    fleet_device_id(id, settings->device_prefix, (uint32_t)which);
    out->password = credentials_password(&settings->credentials, id);
    snprintf(client_id, sizeof(client_id), out->password ? "%s" : "%s-%s", id, suffix);
    out->client_id = mem_strdup(client_id);
    if (out->password)
        out->username = out->client_id;
    if (settings->shape != PAYLOAD_SPARKPLUG) /* which has its node's */
        out->will_topic = topic_beside(&settings->topic, id, STATUS_SUFFIX);
    if (settings->about && settings->shape != PAYLOAD_SPARKPLUG) {
        out->about_topic = topic_beside(&settings->topic, id, ABOUT_SUFFIX);
        out->about = about_of(which);
    }
}
