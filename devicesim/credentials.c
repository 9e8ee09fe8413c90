#include "devicesim/credentials.h"

#include "devicesim/gz_lines.h"
#include "shared/base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool credentials_add(struct credentials *credentials, char *line)
{
    char *colon = strchr(line, ':');
    uint32_t number;

    line[strcspn(line, "\r")] = '\0';
    if (!colon || colon == line || line[0] == '#')
        return false;
    *colon = '\0';
    number = string_table_add(&credentials->names, line);
    credentials->passwords = mem_grow_zeroed(credentials->passwords, &credentials->capacity,
                                             (size_t)number + 1, sizeof(credentials->passwords[0]));
    free(credentials->passwords[number]); /* the last line about a device counts */
    credentials->passwords[number] = mem_strdup(colon + 1);
    return true;
}

bool credentials_read(struct credentials *credentials, const char *path, char *error,
                      size_t error_bytes)
{
    struct gz_lines lines = {0};
    const char *failure;
    char *line;

    *credentials = (struct credentials){0};
    if (gz_lines_open(&lines, path)) {
        while ((line = gz_lines_next(&lines)))
            credentials_add(credentials, line);
    }
    failure = gz_lines_failure(&lines);
    if (failure)
        snprintf(error, error_bytes, "a file of name:password lines that can be read (%s)",
                 failure);
    else if (credentials->names.count == 0)
        snprintf(error, error_bytes, "a file with at least one name:password line");
    gz_lines_close(&lines);
    if (credentials->names.count > 0 && !failure)
        return true;
    credentials_release(credentials);
    return false;
}

void credentials_release(struct credentials *credentials)
{
    for (uint32_t i = 0; i < credentials->names.count; i++)
        free(credentials->passwords[i]);
    free(credentials->passwords);
    string_table_release(&credentials->names);
    *credentials = (struct credentials){0};
}

const char *credentials_password(const struct credentials *credentials, const char *name)
{
    uint32_t number = string_table_find(&credentials->names, name);

    return number == STRING_TABLE_NONE ? NULL : credentials->passwords[number];
}
