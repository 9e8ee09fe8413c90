/* broker_memory.h: whether the broker still had what we had retained there when we came back, as the one
 * that publishes there learns, and the one that reads wants to know (sources/session.h).
 */
#ifndef HIGHWATER_BROKER_MEMORY_H
#define HIGHWATER_BROKER_MEMORY_H

enum broker_memory { BROKER_UNKNOWN, BROKER_KEPT, BROKER_FORGOT };

#endif
