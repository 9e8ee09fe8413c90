/* live_line.h: the one line on a terminal that shows how a run is going.
 *
 * Shape    drawn over itself on standard error, and only where that is a terminal. It is erased
 *          before anything is logged, so that a line of the log does not begin in its middle.
 * Errors   none.
 * Owner    plain value.
 */
#ifndef HIGHWATER_LIVE_LINE_H
#define HIGHWATER_LIVE_LINE_H

#include "devicesim/report.h"

#include <stdbool.h>
#include <stdint.h>

struct live_line {
    bool has_terminal;
    bool is_drawn;
};

void live_line_init(struct live_line *line);
void live_line_erase(struct live_line *line);

/* `progress` as report_live() takes it. */
void live_line_draw(struct live_line *line, struct report *report, int64_t now_us, double progress);

#endif
