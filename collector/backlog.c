#include "collector/backlog.h"

#include "shared/base/mem.h"

#include <stdlib.h>
#include <string.h>

struct backlog_message *backlog_put(struct backlog *backlog, const struct source_message *message)
{
    size_t topic_bytes = strlen(message->topic) + 1;
    struct backlog_message *kept = mem_calloc(1, sizeof(*kept) + message->bytes + topic_bytes);
    char *payload = (char *)(kept + 1);
    char *topic = payload + message->bytes;

    if (message->bytes > 0)
        memcpy(payload, message->payload, message->bytes);
    memcpy(topic, message->topic, topic_bytes);
    kept->message = *message;
    kept->message.payload = payload;
    kept->message.topic = topic;
    if (backlog->last)
        backlog->last->next = kept;
    else
        backlog->first = kept;
    backlog->last = kept;
    return kept;
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
