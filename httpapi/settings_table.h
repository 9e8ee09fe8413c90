/* settings_table.h: the options of httpapi, as data; only settings.c reads it.
 *
 * Shape    a table as options.h wants it, whose targets are members of `settings_given`: one static
 *          struct, so that the table is constant and the compiler checks each address.
 */
#ifndef HIGHWATER_HTTPAPI_SETTINGS_TABLE_H
#define HIGHWATER_HTTPAPI_SETTINGS_TABLE_H

#include "httpapi/settings.h"
#include "shared/base/options.h"

extern struct settings settings_given;
extern const struct option settings_table[];

#endif
