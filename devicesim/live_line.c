#include "devicesim/live_line.h"

#include "shared/base/buffer.h"

#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { TERMINAL_COLUMNS = 80 }; /* of one that does not say */

void live_line_init(struct live_line *line)
{
    *line = (struct live_line){.has_terminal = isatty(STDERR_FILENO)};
}

void live_line_erase(struct live_line *line)
{
    if (line->is_drawn)
        fputs("\r\033[K", stderr);
    line->is_drawn = false;
}

void live_line_draw(struct live_line *line, struct report *report, int64_t now_us, double progress)
{
    struct buffer text = {0};
    struct winsize size = {0};
    unsigned columns = TERMINAL_COLUMNS;

    if (!line->has_terminal)
        return;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        columns = size.ws_col;
    report_live(report, &text, now_us, progress, columns);
    fprintf(stderr, "\r%s\033[K", buffer_text(&text));
    fflush(stderr);
    line->is_drawn = true;
    buffer_release(&text);
}
