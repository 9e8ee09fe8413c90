/* page_files.h: the files of the page, built into the program.
 *
 * Shape    a table ended by {0}. A path is matched as a whole, so nothing a client writes ever
 *          reaches a file system; one that ends in `*` matches every path that begins like it.
 *          "/" is the page itself.
 * Owner    the build makes the table out of dashboard/built (dashboard/embed); "/" is in it.
 */
#ifndef HIGHWATER_PAGE_FILES_H
#define HIGHWATER_PAGE_FILES_H

#include <stdbool.h>
#include <stddef.h>

struct page_file {
    const char *path;         /* "/assets/index-3f2a.js" */
    const char *content_type; /* "text/javascript; charset=utf-8" */
    const unsigned char *data;
    size_t bytes;
    const unsigned char *gz; /* the same, gzipped; NULL = not worth it */
    size_t gz_bytes;
    bool is_immutable; /* its name changes with its content: may be kept for good */
};

extern const struct page_file page_files[];

#endif
