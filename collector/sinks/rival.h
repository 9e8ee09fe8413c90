/* rival.h: does another installation publish under our COLLECTOR_ID?
 *
 * Shape    two databases may have a collector of one name each, at one broker. Their sessions have ids of
 *          their own, so both collect and store; but what they publish, collectors/<id>/..., has one
 *          place. The status there says of which installation it is, so before we speak we look:
 *            looking -> speaking     nobody's is retained, or ours, or that of one who has ended
 *            looking -> doubting     another's is: is he still there?
 *            doubting -> speaking    he is silent for RIVAL_DOUBT_MS
 *            looking, doubting -> silent    he is not
 *            speaking -> silent      another speaks, too, and has run for longer than we have
 *            silent -> looking       he has been silent for RIVAL_GONE_MS: longer than a restart takes,
 *                                    so that who waits does not take the place of who comes back
 *          Of two who begin to speak at once both see this, and the one that started later gives way.
 * Units    ms of the loop's clock, passed in by the caller.
 * Errors   what is no status, or names no installation, is nobody's: a collector of ours always
 *          names one.
 * Limits   believes what the topic says: who else may publish there is for the broker's ACL.
 */
#ifndef HIGHWATER_RIVAL_H
#define HIGHWATER_RIVAL_H

#include "collector/mqtt_identity.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RIVAL_LOOK_MS = 3000, RIVAL_DOUBT_MS = 3000, RIVAL_GONE_MS = 60000, RIVAL_RECENT_MS = 5000 };

enum rival_state { RIVAL_LOOKING, RIVAL_DOUBTING, RIVAL_SPEAKING, RIVAL_SILENT };

struct rival {
    enum rival_state state;
    char ours[MQTT_IDENTITY_MARK_SIZE];
    char theirs[MQTT_IDENTITY_MARK_SIZE]; /* "" = we have seen none */
    int64_t started_at_us;                /* we */
    uint64_t since_ms;                    /* of this state */
    uint64_t heard_ms;                    /* when the other said last that it is there */
    bool is_heard;                        /* that it ever did */
};

void rival_init(struct rival *rival, const char *installation, int64_t started_at_us);

/* A connection is up, and the status subscribed to. Who spoke, or was silent, on the last one goes on
 * so: one that has come meanwhile will hear it. */
void rival_begin(struct rival *rival, uint64_t now_ms);

/* A status under our id. */
void rival_apply_status(struct rival *rival, const void *payload, size_t bytes, bool is_retained,
                        uint64_t now_ms);

/* All that was retained has come. */
void rival_looked(struct rival *rival, uint64_t now_ms);

/* Time has passed, with a connection. */
void rival_tick(struct rival *rival, uint64_t now_ms);

/* Whether a status is of one who is there, and of whom: "" = it does not say. */
bool rival_is_there(const void *payload, size_t bytes, char who[MQTT_IDENTITY_MARK_SIZE]);

static inline bool rival_may_speak(const struct rival *rival)
{
    return rival->state == RIVAL_SPEAKING;
}

/* False when there is no other; else what to do about it, in one sentence. */
bool rival_explain(const struct rival *rival, const char *collector_id, uint64_t now_ms, char *out,
                   size_t out_bytes);

#endif
