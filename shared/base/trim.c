#include "shared/base/trim.h"

#include <string.h>

char *trim(char *text, const char *blanks)
{
    size_t bytes;

    text += strspn(text, blanks);
    bytes = strlen(text);
    while (bytes > 0 && strchr(blanks, text[bytes - 1]))
        bytes--;
    text[bytes] = '\0';
    return text;
}
