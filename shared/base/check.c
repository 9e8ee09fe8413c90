#include "shared/base/check.h"

#include "shared/base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { TEXT_SIZE = 1024 };

void check_say(struct check *check, enum check_level level, const char *what, const char *format,
               ...)
{
    static const char *const names[] = {"ok", "warning", "error"};
    char text[TEXT_SIZE];
    char line[TEXT_SIZE];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    for (char *newline = text; (newline = strchr(newline, '\n')) != NULL;)
        *newline = newline[1] ? ' ' : '\0';
    check->errors += level == CHECK_ERROR;
    check->warnings += level == CHECK_WARNING;
    printf("%-8s %s: %.*s\n", names[level], what,
           (int)log_visible(line, sizeof(line), text, strlen(text)), line);
    fflush(stdout);
}

int check_end(const struct check *check)
{
    printf("%s: %u error%s, %u warning%s\n", check->errors > 0 ? "not as it should be" : "ready",
           check->errors, check->errors == 1 ? "" : "s", check->warnings,
           check->warnings == 1 ? "" : "s");
    return check->errors > 0 ? 1 : 0;
}
