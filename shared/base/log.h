/* log.h: one line per event on standard error.
 *
 * Shape    2026-11-23T12:00:00.123Z collector info mqtt: connecting -> up
 *          What cannot be seen (control and invisible characters, what is no UTF-8) is \xNN in it.
 *          Where standard error is systemd's journal, which knows time and program: <6>mqtt: connecting -> up,
 *          with the priority of syslog(3), as sd-daemon(3) has it.
 * Errors   none; a line that does not fit 2,048 bytes is cut.
 * Use      programs log, libraries return. Bytes from outside go through log_escaped() first, so that
 *          they can be told from ours.
 */
#ifndef HIGHWATER_LOG_H
#define HIGHWATER_LOG_H

#include <stdbool.h>
#include <stddef.h>

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR };

/* Call first: the program's name for each line. */
void log_init(const char *program);

/* The least that is written: debug, info (which it is at first), warning or error, in any case; false for
 * another word. */
bool log_set_level(const char *name);

void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_debug(...) log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)
#define log_info(...) log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_error(...) log_line(LOG_LEVEL_ERROR, __VA_ARGS__)

/* What a command has to say before it ends: "collector: what: text", without a time, and with what else
 * of `text` stands on lines of its own. */
void log_complaint(const char *what, const char *text);

/* What a line of that level begins with where the journal reads it; elsewhere "". */
const char *log_mark(enum log_level level);

/* Copies what can be seen, and the rest as \xNN, as far as it fits, with a NUL; returns its length. For what a
 * library or a server has said in its own words. */
size_t log_visible(char *out, size_t out_bytes, const char *text, size_t bytes);

/* Copies untrusted bytes into `out` with everything but printable ASCII as \xNN, cut with ... to
 * fit; returns `out`. */
const char *log_escaped(char *out, size_t out_bytes, const void *data, size_t bytes);

#endif
