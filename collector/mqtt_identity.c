#include "collector/mqtt_identity.h"

#include "shared/base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LETTERS_AND_DIGITS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

bool mqtt_identity_is_legal(const char *text)
{
    return device_id_is_legal(text, strlen(text)) && !text[strspn(text, LETTERS_AND_DIGITS "_.-")];
}

/* Puts it first; of too many the earliest goes. */
static void put_first(void *items, size_t *count, const void *item, size_t bytes)
{
    if (*count < MQTT_IDENTITY_FORMER_MAX)
        ++*count;
    memmove((char *)items + bytes, items, (*count - 1) * bytes);
    memcpy(items, item, bytes);
}

static bool has_line(const char *text, const char *line)
{
    size_t bytes = strlen(line);

    while (text && (strncmp(text, line, bytes) != 0 || (text[bytes] && text[bytes] != '\n'))) {
        text = strchr(text, '\n');
        text += text != NULL;
    }
    return text != NULL;
}

static void set_former(struct mqtt_identity *identity, const char *former, const char *contract)
{
    const char *line;
    char *end;

    free(identity->former_text);
    identity->former_text = mem_strdup(former);
    identity->former_count = identity->former_contract_count = 0;
    for (line = identity->former_text; *line; line = end) {
        struct topic_filter filter;

        end = identity->former_text + (line - identity->former_text) + strcspn(line, "\n");
        if (*end)
            *end++ = '\0';
        if (!topic_filter_is_legal(line))
            continue;
        put_first(identity->former, &identity->former_count, &line, sizeof(line));
        if (has_line(contract, line) && topic_filter_parse(&filter, line))
            put_first(identity->former_contract, &identity->former_contract_count, &filter,
                      sizeof(filter));
    }
}

bool mqtt_identity_set(struct mqtt_identity *identity, const char *installation,
                       const char *client_id, const char *former, const char *contract)
{
    bool is_same = strcmp(identity->installation, installation) == 0 &&
                   strcmp(identity->client_id, client_id) == 0;
    bool is_plain = !client_id[strspn(client_id, LETTERS_AND_DIGITS)];

    set_former(identity, former, contract);
    snprintf(identity->installation, sizeof(identity->installation), "%s", installation);
    snprintf(identity->client_id, sizeof(identity->client_id), "%s", client_id);
    snprintf(identity->boards_client_id, sizeof(identity->boards_client_id), "%.100s%s", client_id,
             is_plain ? "boards" : "-boards");
    return !is_same;
}

void mqtt_identity_release(struct mqtt_identity *identity)
{
    free(identity->former_text);
    *identity = (struct mqtt_identity){0};
}
