/* ingest_session.h: the part of ingest.h that looks after our session at the broker: its client id,
 * what it is subscribed to, and whether it was lost (session.h).
 */
#ifndef HIGHWATER_INGEST_SESSION_H
#define HIGHWATER_INGEST_SESSION_H

#include "collector/ingest.h"

/* As the database has it now: under another id it is another session. */
void ingest_session_set_client_id(struct ingest *ingest);

/* The link's on_up and on_subscribed. */
void ingest_session_on_up(struct mqtt_link *link, bool session_present);
void ingest_session_on_subscribed(struct mqtt_link *link, const char *filter, bool granted);

/* Notes it when the message is the marker, which is no reading. */
bool ingest_session_is_marker(struct ingest *ingest, const struct mqtt_delivery *delivery);

/* Logs, once for each connection, whether our session at the broker was lost, as soon as enough is
 * known: to be called now and then. */
void ingest_session_judge(struct ingest *ingest, enum broker_memory memory);

/* Logs, once for each connection, how many messages the broker sends ahead, when that limits batches. */
void ingest_session_log_window(struct ingest *ingest);

#endif
