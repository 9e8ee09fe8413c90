#include "collector/backlog.h"

#include "shared/base/mem.h"

#include <stdlib.h>
#include <string.h>

struct backlog_message *backlog_put(struct backlog *backlog, const struct mqtt_delivery *delivery,
                                    int64_t said_us)
{
    size_t topic_bytes = strlen(delivery->topic) + 1;
    struct backlog_message *message =
        mem_calloc(1, sizeof(*message) + delivery->bytes + topic_bytes);
    char *payload = (char *)(message + 1);
    char *topic = payload + delivery->bytes;

    if (delivery->bytes > 0)
        memcpy(payload, delivery->payload, delivery->bytes);
    memcpy(topic, delivery->topic, topic_bytes);
    message->delivery = *delivery;
    message->delivery.payload = payload;
    message->delivery.topic = topic;
    message->delivery.properties = NULL;
    message->said_us = said_us;
    if (backlog->last)
        backlog->last->next = message;
    else
        backlog->first = message;
    backlog->last = message;
    return message;
}

void backlog_drop(struct backlog *backlog)
{
    struct backlog_message *first = backlog->first;

    backlog->first = first->next;
    if (!backlog->first)
        backlog->last = NULL;
    free(first);
}

void backlog_release(struct backlog *backlog)
{
    while (backlog->first)
        backlog_drop(backlog);
}
