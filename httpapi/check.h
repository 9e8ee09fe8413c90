/* check.h (of httpapi): --check, which tries what a start would, with the same settings, and changes nothing. */
#ifndef HIGHWATER_HTTPAPI_CHECK_H
#define HIGHWATER_HTTPAPI_CHECK_H

struct settings;

/* The exit status. */
int check_run(const struct settings *settings);

#endif
