#include "shared/net/read_ahead.h"

#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>

/* Said here, not by unistd.h, which puts checks of its own around the name. */
ssize_t read(int fd, void *out, size_t bytes);

static _Thread_local struct read_ahead *current;

static ssize_t ask_kernel(int fd, void *out, size_t bytes)
{
    return readv(fd, &(struct iovec){.iov_base = out, .iov_len = bytes}, 1);
}

ssize_t read(int fd, void *out, size_t bytes)
{
    struct read_ahead *ahead = current;

    if (!ahead || ahead->fd != fd)
        return ask_kernel(fd, out, bytes);
    if (ahead->from == ahead->to) {
        ssize_t got;

        if (bytes >= sizeof(ahead->bytes))
            return ask_kernel(fd, out, bytes);
        got = ask_kernel(fd, ahead->bytes, sizeof(ahead->bytes));
        if (got <= 0)
            return got;
        ahead->from = 0;
        ahead->to = (size_t)got;
    }
    if (bytes > ahead->to - ahead->from)
        bytes = ahead->to - ahead->from;
    memcpy(out, ahead->bytes + ahead->from, bytes);
    ahead->from += bytes;
    return (ssize_t)bytes;
}

void read_ahead_begin(struct read_ahead *ahead, int fd)
{
    if (current && current != ahead)
        return;
    ahead->fd = fd;
    ahead->from = ahead->to = 0;
    current = ahead;
}

void read_ahead_end(struct read_ahead *ahead)
{
    if (current != ahead)
        return;
    ahead->from = ahead->to = 0;
    current = NULL;
}

size_t read_ahead_bytes(const struct read_ahead *ahead)
{
    return ahead->to - ahead->from;
}
