/* mqtt_identity.h: who we are to the broker, as the database says (schema/008_sessions.sql).
 *
 * Shape    the mark of the database, our client ids, and the topic filters that our session had
 *          before the present one. The ids come from the database, for they carry its mark:
 *            the session     highwater-<COLLECTOR_ID>-<mark>, or what MQTT_CLIENT_ID says
 *            the boards      the same and "-boards"; of a set id that is letters and digits only,
 *                            "boards", so that one of up to 17 stays one that every broker must take
 *          A broker must take 1 to 23 letters and digits (MQTT 3.1.1, 3.1.3.1) and may take more.
 *          Ours are longer, so that people can read them: no broker that can be used minds.
 * Errors   none: what is no filter is left out.
 * Owner    mqtt_identity_release() frees what the struct holds.
 * Source   MQTT 5.0 section 3.1.3.1.
 */
#ifndef HIGHWATER_MQTT_IDENTITY_H
#define HIGHWATER_MQTT_IDENTITY_H

#include "shared/model/topic.h"

#include <stdbool.h>
#include <stddef.h>

enum {
    MQTT_IDENTITY_MARK_SIZE = 17,
    MQTT_IDENTITY_CLIENT_ID_SIZE = 112, /* of the longest COLLECTOR_ID, 64 */
    MQTT_IDENTITY_FORMER_MAX = 256
};

struct mqtt_identity {
    char installation[MQTT_IDENTITY_MARK_SIZE];
    char client_id[MQTT_IDENTITY_CLIENT_ID_SIZE];
    char boards_client_id[MQTT_IDENTITY_CLIENT_ID_SIZE];
    char *former_text; /* the filters point into it */
    size_t former_count;
    const char *former[MQTT_IDENTITY_FORMER_MAX]; /* the latest first, like the next */
    size_t former_contract_count;
    struct topic_filter former_contract[MQTT_IDENTITY_FORMER_MAX]; /* those that SUBSCRIBE named */
};

/* `former` are filters with a newline between them, the latest last; `contract`, written so too, has among
 * others those of them that SUBSCRIBE named. True when the mark or an id is another than before. */
bool mqtt_identity_set(struct mqtt_identity *identity, const char *installation,
                       const char *client_id, const char *former, const char *contract);
void mqtt_identity_release(struct mqtt_identity *identity);

/* Whether the text may be a client id, or part of one. */
bool mqtt_identity_is_legal(const char *text);

#define MQTT_IDENTITY_LEGAL "1 to 64 of A-Z, a-z, 0-9, _ . and -, and not . or .."

#endif
