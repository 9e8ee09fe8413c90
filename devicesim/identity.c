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

void identity_suffix(char *out)
{
    snprintf(out, IDENTITY_SUFFIX_SIZE, "%06" PRIx64,
             (uint64_t)(timestamp_now() ^ ((int64_t)getpid() << 20)) & 0xffffff);
}

static char *will_topic(const struct topic_filter *topic, const char *device_id)
{
    struct buffer will = {0};
    char *text;

    if (strcmp(topic->suffix, STATUS_SUFFIX) == 0)
        return NULL; /* a last will would be read as a reading */
    buffer_put(&will, topic->prefix, topic->prefix_bytes);
    buffer_put_text(&will, device_id);
    buffer_put_text(&will, STATUS_SUFFIX);
    text = mem_strdup(buffer_text(&will));
    buffer_release(&will);
    return text;
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
        out->will_topic = will_topic(&settings->topic, id);
}
