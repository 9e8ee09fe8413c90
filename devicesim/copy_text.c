#include "devicesim/copy_text.h"

size_t copy_text_split(char **fields, size_t most, char *line)
{
    char *to = line;
    size_t count = 0;

    fields[count++] = to;
    for (char *from = line; *from && *from != '\n'; from++) {
        if (*from == '\t') {
            *to++ = '\0';
            if (count < most)
                fields[count++] = to;
        } else if (*from == '\\' && from[1] == 'N') {
            fields[count - 1] = NULL;
            from++;
        } else if (*from == '\\' && from[1]) {
            *to++ = *++from;
        } else {
            *to++ = *from;
        }
    }
    *to = '\0';
    return count;
}
