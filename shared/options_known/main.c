/* Prints one program's table of options as rows of options_known.h. It is linked with that table alone,
 * once for each program, while the programs are built: so nobody keeps a list of their settings, and the
 * compiler, rather than a script that takes C apart, reads the tables. */
#include "shared/base/options_inner.h"

#include <ctype.h>
#include <stdio.h>

extern const struct option settings_table[];

static void print_text(const char *member, const char *text)
{
    if (!text)
        return;
    printf(", .%s = \"", member);
    for (; *text; text++) {
        if (isalnum((unsigned char)*text) || *text == ' ')
            putchar(*text);
        else
            printf("\\%03o", (unsigned char)*text);
    }
    putchar('"');
}

static void print_rows(const char *program, const struct option *option)
{
    for (; option->name; option++) {
        printf("{\"%s\", {.kind = (enum option_kind)%d, .least = %.17g, .most = %.17g, "
               ".flag_only = %d",
               program, (int)option->kind, option->least, option->most, option->flag_only);
        print_text("name", option->name);
        print_text("fallback", option->fallback);
        print_text("value_name", option->value_name);
        print_text("help", option->help);
        printf("}},\n");
    }
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    print_rows(argv[1], settings_table);
    print_rows(argv[1], options_common);
    return 0;
}
