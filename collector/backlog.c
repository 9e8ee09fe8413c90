#include "collector/backlog.h"

#include "shared/base/mem.h"

#include <stdlib.h>
#include <string.h>

/* Copies `bytes` bytes and a NUL to *at, which moves on. */
static const char *copy(char **at, const char *bytes, size_t count)
{
    char *start = *at;

    memcpy(start, bytes, count);
    start[count] = '\0';
    *at += count + 1;
    return start;
}

struct backlog_message *backlog_put(struct backlog *backlog, const struct source_message *message)
{
    size_t topic_bytes = strlen(message->topic);
    size_t device_bytes = message->device ? message->device_bytes : 0;
    size_t detail_bytes = message->detail ? strlen(message->detail) : 0;
    struct backlog_message *kept = mem_calloc(1, sizeof(*kept) + message->bytes + topic_bytes +
                                                     device_bytes + detail_bytes + 4);
    char *at = (char *)(kept + 1);

    kept->message = *message;
    kept->message.payload = copy(&at, message->bytes > 0 ? message->payload : "", message->bytes);
    kept->message.topic = copy(&at, message->topic, topic_bytes);
    if (message->device)
        kept->message.device = copy(&at, message->device, device_bytes);
    if (message->detail)
        kept->message.detail = copy(&at, message->detail, detail_bytes);
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
