/* source_mark.h: all that a source had delivered up to a point. The source makes it when a batch is closed
 * (source.h); the batch carries it, so that the store can write what of it is to be kept in the same
 * transaction; once that is committed it goes back to the source.
 *
 * Fence    a log gives everybody who asks any record at any time. So who stores a batch of it says where the
 *          store must stand for that (`from`), and the store moves on to `to` only from there, in the
 *          transaction of the batch. Of two that hold the same records one finds the place moved: nothing of
 *          its batch is stored. The group that shares a log's partitions out only divides the work, for it
 *          cannot take back what a member that it holds for dead still has in its hands.
 */
#ifndef HIGHWATER_SOURCE_MARK_H
#define HIGHWATER_SOURCE_MARK_H

#include <stddef.h>
#include <stdint.h>

/* The store knows no position yet: it begins with the oldest record that the log has. */
#define SOURCE_POSITION_NEW (-1)

/* Of one partition of a log. */
struct source_position {
    const char *group; /* that reads: each has positions of its own */
    const char *topic;
    int32_t partition;
    int64_t from; /* the next record, as the store must have it before; or SOURCE_POSITION_NEW */
    int64_t to;   /* and after; not below `from` */
};

/* The positions are the source's, and valid until the mark is released or given back. */
struct source_mark {
    uint64_t epoch; /* of the connection; 0 = of none, so that it releases nothing */
    const struct source_position *positions;
    size_t position_count; /* 0: this source's place is not ours to keep */
};

#endif
