#include "httpapi/problem.h"

#include "shared/base/json_write.h"
#include "shared/base/log.h"
#include "shared/net/http_server.h"

#include <stdarg.h>
#include <stdio.h>

void problem_set(struct problem *problem, int status, const char *format, ...)
{
    va_list args;

    *problem = (struct problem){.status = status};
    va_start(args, format);
    vsnprintf(problem->detail, sizeof(problem->detail), format, args);
    va_end(args);
}

void problem_set_unavailable(struct problem *problem, unsigned retry_after_s, const char *format,
                             ...)
{
    va_list args;

    *problem = (struct problem){.status = 503, .retry_after_s = retry_after_s};
    va_start(args, format);
    vsnprintf(problem->detail, sizeof(problem->detail), format, args);
    va_end(args);
}

void problem_set_parameter(struct problem *problem, const char *parameter, const char *value,
                           size_t value_bytes, const char *legal)
{
    *problem = (struct problem){.status = 400};
    snprintf(problem->parameter, sizeof(problem->parameter), "%s", parameter);
    log_escaped(problem->value, sizeof(problem->value), value, value_bytes);
    snprintf(problem->legal, sizeof(problem->legal), "%s", legal);
    snprintf(problem->detail, sizeof(problem->detail), "%s is \"%s\"; legal is %s",
             problem->parameter, problem->value, problem->legal);
}

void problem_set_missing(struct problem *problem, const char *parameter, const char *legal)
{
    *problem = (struct problem){.status = 400};
    snprintf(problem->parameter, sizeof(problem->parameter), "%s", parameter);
    snprintf(problem->legal, sizeof(problem->legal), "%s", legal);
    snprintf(problem->detail, sizeof(problem->detail), "%s is missing; legal is %s",
             problem->parameter, problem->legal);
}

static void put_member(struct buffer *out, const char *name, const char *value)
{
    buffer_printf(out, ",\"%s\":", name);
    json_write_string(out, value);
}

void problem_write(struct buffer *out, const struct problem *problem)
{
    buffer_printf(out, "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%d",
                  http_phrase(problem->status), problem->status);
    put_member(out, "detail", problem->detail);
    if (problem->parameter[0]) {
        put_member(out, "parameter", problem->parameter);
        put_member(out, "value", problem->value);
        put_member(out, "legal", problem->legal);
    }
    buffer_put_text(out, "}");
}
