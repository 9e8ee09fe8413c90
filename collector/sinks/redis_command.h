/* redis_command.h: commands as Redis reads them; and how a board becomes one.
 *
 * Shape    arguments are written one after the other into one buffer, then hiredis makes the bytes of
 *          the command of them.
 * Keys     of a board, in one slot of a cluster by their {tag}:
 *            highwater:{ID:FEATURE:INTERVAL}:board     as on MQTT, with asOf; keeps the order of ties
 *            highwater:{ID:FEATURE:INTERVAL}:ranking   a sorted set: device, value
 *            highwater:{ID:FEATURE:INTERVAL}:readings  a hash: device, the whole reading as JSON
 *            highwater:{ID:FEATURE:INTERVAL}:version   "turn generation" of what is there
 *          of a board of the lowest values {ID:FEATURE:INTERVAL:lowest}; of the status
 *          highwater:{ID}:status and highwater:{ID}:status:version.
 * Channels highwater:boards:ID:FEATURE:INTERVAL, highwater:status:ID, highwater:rejected:ID
 * Script   REDIS_SCRIPT puts a board: all of it, or nothing. It refuses what is older than what is there,
 *          by (turn, generation): the turn rises with each collector that takes over the id, and the
 *          generation with each publication. So a collector that was frozen, and writes before it knows
 *          that another has its turn, changes nothing; and no clock is compared with another. Rejected:
 *          the as-of, which such a collector makes anew, and which a clock that was set back stops.
 * Answers  REDIS_OLDER, REDIS_PUT, REDIS_RENEWED (it was there; its expiry begins again).
 * Owner    embedded; zeroed is empty; redis_command_release() frees.
 */
#ifndef HIGHWATER_REDIS_COMMAND_H
#define HIGHWATER_REDIS_COMMAND_H

#include "collector/sink.h"

enum { REDIS_OLDER, REDIS_PUT, REDIS_RENEWED };

enum { REDIS_SHA_DIGITS = 40 };

struct redis_command {
    struct buffer text; /* of all arguments */
    size_t *ends;       /* where each ends */
    size_t capacity;
    size_t count;
    struct buffer name; /* of a key, while it is written */
};

extern const char redis_script[];

/* Each begins anew. */
void redis_command_begin(struct redis_command *command, const char *name);
void redis_command_add(struct redis_command *command, const void *data, size_t bytes);
void redis_command_add_text(struct redis_command *command, const char *text);

/* The bytes of it, for redisFreeCommand(). */
char *redis_command_format(struct redis_command *command, size_t *bytes);

void redis_command_release(struct redis_command *command);

/* What an item is put with. */
struct redis_put {
    const char *collector_id;
    const char *sha; /* of the script */
    const struct features *features;
    int64_t turn;
    int64_t generation; /* of a board, its own is taken */
    int64_t expiry_ms;
};

void redis_command_put(struct redis_command *command, const struct redis_put *put,
                       const struct sink_item *item);

#endif
