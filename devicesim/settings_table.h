/* settings_table.h: the options of devicesim, as data; only settings.c reads it.
 *
 * Shape    a table as options.h wants it, whose targets are members of `settings_given`: one static
 *          struct, so that the table is constant and the compiler checks each address.
 */
#ifndef HIGHWATER_DEVICESIM_SETTINGS_TABLE_H
#define HIGHWATER_DEVICESIM_SETTINGS_TABLE_H

#include "devicesim/settings.h"
#include "shared/base/options.h"

#define SETTINGS_TOPIC "devices/+/readings"

enum { SETTINGS_DEVICES_MAX = 1000000, SETTINGS_CONNECTIONS_MAX = 60000 };

extern struct settings settings_given;
extern const struct option settings_table[];

#endif
