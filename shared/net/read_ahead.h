/* read_ahead.h: read(2) for a library that takes a socket's bytes in small pieces.
 *
 * Why      libmosquitto 2.0 reads a message with four calls: its kind, each byte of its length, the
 *          rest. That was half of the collector's CPU. 2.1 reads through a buffer of its own, and is
 *          in no Debian release yet.
 * How      a library finds its read() by name, first in the program. So the program has one: what it
 *          is asked of the descriptor that is read ahead comes out of a buffer, which one call of the
 *          kernel fills; every other descriptor is read as ever. A library that does not read() is
 *          not helped, and not harmed.
 * Rule     what is in the buffer is not in the socket any more: no poll tells of it, so whoever stops
 *          reading early has to come back by itself (read_ahead_bytes()).
 * Thread   the one that began; the descriptors of others are none of its business, whatever their
 *          numbers, so read_ahead_end() may come a moment after the library has closed it.
 * Owner    embedded; zeroed is not reading ahead. One descriptor of a thread at a time.
 */
#ifndef HIGHWATER_READ_AHEAD_H
#define HIGHWATER_READ_AHEAD_H

#include <stdbool.h>
#include <stddef.h>

enum { READ_AHEAD_BYTES = 32768 };

struct read_ahead {
    int fd;
    size_t from; /* what was read and not asked for yet */
    size_t to;
    unsigned char bytes[READ_AHEAD_BYTES];
};

/* From now on `fd` is read through the buffer, unless another of this thread is. */
void read_ahead_begin(struct read_ahead *ahead, int fd);

/* What is left in it is gone. May be called without a beginning. */
void read_ahead_end(struct read_ahead *ahead);

/* How many bytes wait in it. */
size_t read_ahead_bytes(const struct read_ahead *ahead);

#endif
