/* write_gather.h: write(2) and send(2) for a library that gives a socket its bytes in small pieces.
 *
 * Why      libmosquitto writes each packet by itself, so ten thousand acknowledgements of four bytes are
 *          ten thousand calls of the kernel, a fifth of the collector's CPU.
 * How      as read_ahead.h: a library finds its write() and send() by name, first in the program (libmosquitto
 *          has used the one, and uses the other). What it writes to the descriptor between begin and end is
 *          taken into a buffer, which leaves with one call when it is full, and at the end. A library that
 *          does neither is not helped, and not harmed.
 * Rule     what the socket does not take stays, and the library knows nothing of it: whoever wants to know
 *          whether all has left asks write_gather_bytes(), and calls write_gather_end() again when the socket
 *          can be written. Begin only while the library does not close the socket behind it.
 * Thread   the one that began, until it has ended; every other descriptor is written as ever.
 * Owner    embedded; zeroed is empty. One descriptor of a thread at a time.
 */
#ifndef HIGHWATER_WRITE_GATHER_H
#define HIGHWATER_WRITE_GATHER_H

#include <stdbool.h>
#include <stddef.h>

enum { WRITE_GATHER_BYTES = 4096 };

struct write_gather {
    int fd;
    bool is_used; /* the library has written through it */
    size_t from;  /* what was written and has not left yet */
    size_t to;
    unsigned char bytes[WRITE_GATHER_BYTES];
};

/* From now on what is written to `fd` is gathered, after what is left from before. */
void write_gather_begin(struct write_gather *gather, int fd);

/* Writes what there is, as far as the socket takes it, and gathers no more. False, with errno, when it will
 * take nothing any more. May be called without a beginning, to go on. */
bool write_gather_end(struct write_gather *gather);

/* Gathers no more, and what is left is gone: the connection has ended. */
void write_gather_drop(struct write_gather *gather);

/* How many bytes have not left. */
size_t write_gather_bytes(const struct write_gather *gather);

#endif
