#include "shared/net/write_gather.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

/* Said here, not by unistd.h, which puts checks of its own around the name. */
ssize_t write(int fd, const void *from, size_t bytes);

static _Thread_local struct write_gather *current;

static ssize_t ask_kernel(int fd, const void *from, size_t bytes)
{
    return writev(fd, &(struct iovec){.iov_base = (void *)from, .iov_len = bytes}, 1);
}

/* False, with errno, when the kernel has not taken all of it. */
static bool flush(struct write_gather *gather)
{
    while (gather->from < gather->to) {
        ssize_t taken =
            ask_kernel(gather->fd, gather->bytes + gather->from, gather->to - gather->from);

        if (taken >= 0)
            gather->from += (size_t)taken;
        else if (errno != EINTR)
            return false;
    }
    gather->from = gather->to = 0;
    return true;
}

static bool is_gathered(int fd)
{
    return current && current->fd == fd;
}

static ssize_t take(struct write_gather *gather, const void *from, size_t bytes)
{
    gather->is_used = true;
    if (bytes > sizeof(gather->bytes) - gather->to && !flush(gather))
        return -1;
    if (bytes >= sizeof(gather->bytes))
        return ask_kernel(gather->fd, from, bytes);
    memcpy(gather->bytes + gather->to, from, bytes);
    gather->to += bytes;
    return (ssize_t)bytes;
}

ssize_t write(int fd, const void *from, size_t bytes)
{
    return is_gathered(fd) ? take(current, from, bytes) : ask_kernel(fd, from, bytes);
}

/* Of the flags only MSG_NOSIGNAL is given with what is gathered, and SIGPIPE is ignored. */
ssize_t send(int fd, const void *from, size_t bytes, int flags)
{
    return is_gathered(fd) ? take(current, from, bytes) : sendto(fd, from, bytes, flags, NULL, 0);
}

void write_gather_begin(struct write_gather *gather, int fd)
{
    if (current && current != gather)
        return;
    gather->fd = fd;
    current = gather;
}

bool write_gather_end(struct write_gather *gather)
{
    if (current == gather)
        current = NULL;
    return flush(gather) || errno == EAGAIN || errno == EWOULDBLOCK;
}

void write_gather_drop(struct write_gather *gather)
{
    if (current == gather)
        current = NULL;
    gather->from = gather->to = 0;
}

size_t write_gather_bytes(const struct write_gather *gather)
{
    return gather->to - gather->from;
}
