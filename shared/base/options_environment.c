/* What the environment says: variables of the settings' names, and systemd's credentials. */
#include "shared/base/buffer.h"
#include "shared/base/mem.h"
#include "shared/base/options_inner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CREDENTIALS_ID "highwater"
#define SECRET_FILE_END "-file"

extern char **environ;

enum { NEAR = 2, VARIABLE_SIZE = OPTION_NAME_SIZE + sizeof(OPTIONS_PREFIX) };

/* HIGHWATER_MQTT_URL, or else MQTT_URL; `name` becomes that of the one that is set. */
static const char *from_environment(const struct program *program, const struct option *option,
                                    char name[VARIABLE_SIZE])
{
    char variable[OPTION_NAME_SIZE];
    const char *plain = getenv(option_variable(variable, option->name));
    const char *text;

    snprintf(name, VARIABLE_SIZE, "%s%s", OPTIONS_PREFIX, variable);
    text = getenv(name);
    if (text && *text) {
        if (plain && *plain && strcmp(plain, text) != 0)
            options_warn(program, "%s is used, and %s, which differs, is not", name, variable);
        return text;
    }
    strcpy(name, variable);
    return plain && *plain ? plain : NULL;
}

/* A misspelt variable. Others may begin with HIGHWATER_, too: Kubernetes sets HIGHWATER_PORT where a service is
 * called so. So one that is far from all names is passed over, and a near one is no error. */
static void warn_of_near(const struct program *program, const char *variable, size_t bytes)
{
    char name[OPTION_NAME_SIZE];
    char shown[OPTION_NAME_SIZE];
    char better[OPTION_NAME_SIZE];
    const char *near;

    if (bytes >= sizeof(name))
        return;
    snprintf(shown, sizeof(shown), "%.*s", (int)bytes, variable);
    option_flag(name, shown);
    near = option_nearest(name, "");
    if (option_is_known(name) || option_distance(name, near) > NEAR)
        return;
    options_warn(program, OPTIONS_PREFIX "%s is no setting; is " OPTIONS_PREFIX "%s meant?", shown,
                 option_variable(better, near));
}

static void look_at_names(const struct program *program)
{
    for (char **variable = environ; *variable; variable++) {
        if (strncmp(*variable, OPTIONS_PREFIX, strlen(OPTIONS_PREFIX)) == 0)
            warn_of_near(program, *variable + strlen(OPTIONS_PREFIX),
                         strcspn(*variable, "=") - strlen(OPTIONS_PREFIX));
    }
}

int options_read_environment(const struct program *program, const struct option *options)
{
    char name[VARIABLE_SIZE];
    int status = -1;

    look_at_names(program);
    for (; options->name && status < 0; options++) {
        const char *text = options->flag_only ? NULL : from_environment(program, options, name);

        if (text)
            status = option_apply(program, options, name, text);
    }
    return status;
}

/* A copy that is there for as long as the program is, as texts of options are. */
static const char *kept(const char *text)
{
    static char **all;
    static size_t count;
    static size_t capacity;

    all = mem_grow_zeroed(all, &capacity, count + 1, sizeof(*all));
    return all[count++] = mem_strdup(text);
}

/* Where systemd has put what LoadCredential=highwater:FOLDER names: the file "database-password" there is
 * DATABASE_PASSWORD_FILE for a program that is told of no other. */
void options_use_credentials(const struct option *options)
{
    const char *folder = getenv("CREDENTIALS_DIRECTORY");
    struct buffer path = {0};

    for (; folder && *folder && options->name; options++) {
        size_t bytes = strlen(options->name) - strlen(SECRET_FILE_END);

        if (options->kind != OPTION_SECRET_FILE)
            continue;
        buffer_clear(&path);
        buffer_printf(&path, "%s/" CREDENTIALS_ID "_%.*s", folder, (int)bytes, options->name);
        if (access(buffer_text(&path), F_OK) == 0)
            option_set(options, kept(buffer_text(&path)));
    }
    buffer_release(&path);
}
