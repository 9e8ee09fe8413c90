/* permit.h: whether the broker lets us publish on a topic.
 *
 * Why      a broker drops what it does not allow at QoS 0 without a word. So on each connection the
 *          first publication on a topic has QoS 1, whose PUBACK says it, and those that follow have
 *          QoS 0 again, which spares everybody the acknowledgements. What is denied is asked for
 *          again with each publication.
 * Limits   MQTT 3.1.1 has no reasons in a PUBACK: there nothing is ever denied.
 * Owner    embedded; zeroed has not asked yet.
 */
#ifndef HIGHWATER_PERMIT_H
#define HIGHWATER_PERMIT_H

#include <stdbool.h>

struct permit {
    int mid;         /* of the publication that asks; 0 = none is on its way */
    bool is_granted; /* on this connection */
    bool is_denied;  /* when it was last asked */
};

/* A new connection: what was granted on the last one is not known of this. */
static inline void permit_begin(struct permit *permit)
{
    permit->mid = 0;
    permit->is_granted = false;
}

/* The QoS of the next publication. */
static inline int permit_qos(const struct permit *permit)
{
    return permit->is_granted || permit->mid != 0 ? 0 : 1;
}

/* The PUBACK of this `mid` came; false when it is not the one that asked. */
static inline bool permit_settle(struct permit *permit, int mid, int reason_code)
{
    if (permit->mid == 0 || permit->mid != mid)
        return false;
    permit->mid = 0;
    permit->is_denied = reason_code >= 0x80;
    permit->is_granted = !permit->is_denied;
    return true;
}

#endif
