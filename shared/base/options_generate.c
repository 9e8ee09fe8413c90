/* What is made of the tables besides the help: each of them would be wrong a month after it was written
 * by hand. */
#include "shared/base/options_inner.h"

#include <stdio.h>
#include <string.h>

int options_generate(const struct program *program, const struct option *options, const char *what)
{
    struct buffer out = {0};
    bool is_written;

    if (strcmp(what, "config") == 0)
        options_put_template(&out);
    else if (strcmp(what, "man") == 0)
        options_put_man(&out, program, options);
    else if (strcmp(what, "bash-completion") == 0)
        options_put_completion(&out, program, options);
    else
        return options_reject(program, "generate", what, "config, man or bash-completion");
    is_written = fwrite(out.data, 1, out.bytes, stdout) == out.bytes && fflush(stdout) == 0;
    buffer_release(&out);
    if (!is_written)
        perror(program->name);
    return is_written ? 0 : 1;
}
