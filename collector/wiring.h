/* wiring.h: how the parts of the collector are connected: what each is given at its start, and who
 * hears what it reports.
 *
 * Errors   a setting that proves wrong only here ends the program with its exit status.
 */
#ifndef HIGHWATER_WIRING_H
#define HIGHWATER_WIRING_H

#include "collector/collector.h"

/* First of all: nothing of it runs yet. */
void wiring_make_store(struct collector *collector);

/* At once, whatever broker and database do. */
void wiring_start_source(struct collector *collector);
void wiring_start_boards(struct collector *collector);
void wiring_start_housekeeping(struct collector *collector);
void wiring_start_monitor(struct collector *collector);
void wiring_start_reload(struct collector *collector);
void wiring_start_notify(struct collector *collector);

/* Once the database has the schema. */
void wiring_start_sparkplug(struct collector *collector);
void wiring_start_ingest(struct collector *collector);

#endif
