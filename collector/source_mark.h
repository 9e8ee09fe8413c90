/* source_mark.h: all that a source had delivered up to a point. The source makes it when a batch is closed
 * (source.h); the batch carries it, so that the store can write what of it is to be kept in the same
 * transaction; once that is committed it goes back to the source.
 */
#ifndef HIGHWATER_SOURCE_MARK_H
#define HIGHWATER_SOURCE_MARK_H

#include <stdint.h>

struct source_mark {
    uint64_t epoch; /* of the connection; 0 = of none, so that it releases nothing */
};

#endif
