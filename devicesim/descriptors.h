/* descriptors.h: as many open files as the connections of a fleet need.
 *
 * Errors   descriptors_raise() is false, with a line in the log, where the system allows fewer.
 */
#ifndef HIGHWATER_DESCRIPTORS_H
#define HIGHWATER_DESCRIPTORS_H

#include <stdbool.h>
#include <stddef.h>

bool descriptors_raise(size_t connections);

#endif
