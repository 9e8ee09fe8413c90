#include "shared/net/service_notify.h"

#include "shared/base/log.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { STATUS_EVERY_MS = 1000, GRACE_SPARE_MS = 5000 /* for what comes after the drain */ };

/* ---- the variables ---------------------------------------------------------------------------- */

/* A path, or @name for an abstract one. */
static bool parse_address(struct service_notify *notify, const char *text)
{
    size_t bytes = strlen(text);

    if ((text[0] != '/' && text[0] != '@') || bytes < 2 ||
        bytes >= sizeof(notify->address.sun_path))
        return false;
    notify->address.sun_family = AF_UNIX;
    memcpy(notify->address.sun_path, text, bytes);
    if (text[0] == '@')
        notify->address.sun_path[0] = '\0';
    notify->address_bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + bytes);
    return true;
}

static bool parse_number(const char *text, uint64_t *out)
{
    char *end;

    if (!text || *text < '0' || *text > '9')
        return false;
    *out = strtoull(text, &end, 10);
    return *end == '\0';
}

/* A wrapper that was to answer it may have left it to us who are not watched. */
static uint64_t read_watchdog_ms(void)
{
    const char *pid_text = getenv("WATCHDOG_PID");
    uint64_t pid = 0;
    uint64_t usec;

    if (pid_text && (!parse_number(pid_text, &pid) || pid != (uint64_t)getpid()))
        return 0;
    if (!parse_number(getenv("WATCHDOG_USEC"), &usec) || usec == 0 || usec == UINT64_MAX)
        return 0;
    return usec < 2000 ? 2 : usec / 1000;
}

void service_notify_init(struct service_notify *notify)
{
    const char *socket_name = getenv("NOTIFY_SOCKET");
    char shown[200];

    *notify = (struct service_notify){.fd = -1};
    if (socket_name && *socket_name) {
        if (parse_address(notify, socket_name))
            notify->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        else
            log_warning(
                "NOTIFY_SOCKET: \"%s\" is not /path or @name; the service manager is told nothing",
                log_escaped(shown, sizeof(shown), socket_name, strlen(socket_name)));
        notify->watchdog_ms = read_watchdog_ms();
    }
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
}

/* ---- what is said ----------------------------------------------------------------------------- */

static bool send_lines(const struct service_notify *notify, const struct buffer *lines)
{
    return sendto(notify->fd, lines->data, lines->bytes, MSG_NOSIGNAL | MSG_DONTWAIT,
                  (const struct sockaddr *)&notify->address, notify->address_bytes) >= 0;
}

/* All that is owed, in one datagram: it arrives whole or not at all. */
static void say(struct service_notify *notify, const char *first)
{
    struct buffer lines = {0};

    buffer_put_text(&lines, first);
    if (notify->owes_ready)
        buffer_put_text(&lines, "READY=1\n");
    if (notify->owes_stopping)
        buffer_printf(&lines, "STOPPING=1\nEXTEND_TIMEOUT_USEC=%" PRIu64 "\n",
                      (notify->grace_ms + GRACE_SPARE_MS) * 1000);
    if (notify->owes_status)
        buffer_printf(&lines, "STATUS=%s\n", notify->status);
    if (notify->owes_ping)
        buffer_put_text(&lines, "WATCHDOG=1\n");
    if (lines.bytes > 0 && send_lines(notify, &lines))
        notify->owes_ready = notify->owes_stopping = notify->owes_status = notify->owes_ping =
            false;
    buffer_release(&lines);
}

static void set_status(struct service_notify *notify, const char *text)
{
    char seen[SERVICE_NOTIFY_STATUS_SIZE];

    log_visible(seen, sizeof(seen), text, strlen(text));
    notify->owes_status = notify->owes_status || strcmp(seen, notify->status) != 0;
    strcpy(notify->status, seen);
}

/* A status is one line, so reasons stand side by side in it. */
static void look(struct service_notify *notify)
{
    struct buffer reasons = {0};
    struct buffer text = {0};

    if (notify->config.is_ready(notify->config.user, &reasons)) {
        set_status(notify, "ready");
    } else {
        const char *from = buffer_text(&reasons);

        buffer_put_text(&text, "not ready");
        for (size_t bytes; *from; from += bytes + (from[bytes] == '\n')) {
            bytes = strcspn(from, "\n");
            buffer_printf(&text, "%s%.*s", text.bytes == strlen("not ready") ? ": " : "; ",
                          (int)bytes, from);
        }
        set_status(notify, buffer_text(&text));
    }
    buffer_release(&text);
    buffer_release(&reasons);
}

static void on_status_timer(uv_timer_t *timer)
{
    struct service_notify *notify = timer->data;

    if (!notify->is_stopping) {
        notify->owes_ready = notify->owes_ready || !notify->has_turned;
        look(notify);
    }
    notify->has_turned = true;
    say(notify, "");
}

static void on_watchdog_timer(uv_timer_t *timer)
{
    struct service_notify *notify = timer->data;

    notify->owes_ping = true;
    say(notify, "");
}

void service_notify_start(struct service_notify *notify, uv_loop_t *loop,
                          const struct service_notify_config *config)
{
    if (notify->fd < 0)
        return;
    notify->config = *config;
    notify->has_timers = true;
    uv_timer_init(loop, &notify->status_timer);
    uv_timer_init(loop, &notify->watchdog_timer);
    notify->status_timer.data = notify->watchdog_timer.data = notify;
    uv_timer_start(&notify->status_timer, on_status_timer, 0, STATUS_EVERY_MS);
    if (notify->watchdog_ms > 0)
        uv_timer_start(&notify->watchdog_timer, on_watchdog_timer, 0, notify->watchdog_ms / 2);
}

/* It is told by the clock which reload a READY=1 is the end of. */
void service_notify_reloading(struct service_notify *notify)
{
    char lines[80];

    if (!notify->has_turned || notify->is_stopping)
        return;
    snprintf(lines, sizeof(lines), "RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\n", uv_hrtime() / 1000);
    say(notify, lines);
}

void service_notify_reloaded(struct service_notify *notify)
{
    if (!notify->has_turned || notify->is_stopping)
        return;
    notify->owes_ready = true;
    say(notify, "");
}

void service_notify_stopping(struct service_notify *notify, uint64_t grace_ms)
{
    if (!notify->has_timers || notify->is_stopping)
        return;
    notify->is_stopping = notify->owes_stopping = true;
    notify->owes_ready = false;
    notify->grace_ms = grace_ms;
    set_status(notify, "stopping");
    say(notify, "");
}

void service_notify_close(struct service_notify *notify)
{
    if (notify->fd >= 0)
        close(notify->fd);
    notify->fd = -1;
    if (!notify->has_timers)
        return;
    notify->has_timers = false;
    uv_close((uv_handle_t *)&notify->status_timer, NULL);
    uv_close((uv_handle_t *)&notify->watchdog_timer, NULL);
}
