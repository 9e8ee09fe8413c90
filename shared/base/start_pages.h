/* start_pages.h: what only the start of a program needed is given back.
 *
 * Shape    one call, some seconds after the start.
 * Errors   none: what cannot be given back stays.
 * Source   madvise(2), dl_iterate_phdr(3).
 */
#ifndef HIGHWATER_START_PAGES_H
#define HIGHWATER_START_PAGES_H

/* Pages of the program and its libraries that nobody can have written to leave this process, and
 * what malloc() does not use goes back to the kernel. Whatever is needed after all is mapped again,
 * out of the page cache, when it is touched. */
void start_pages_release(void);

#endif
