/* A pipe may be given, as in <(pass show broker), and then whoever is to write into it is waited for; but not
 * for ever, since passwords are read again at each connect, on the loop. */
#include "shared/base/secret.h"

#include "shared/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MOST_BYTES = 1024, SHOWN_BYTES = 256, PATIENCE_MS = 5000 };

/* Up to its end, or to `room`. -1, with errno, when it cannot be read, or nothing comes. */
static ssize_t read_whole(int fd, char *out, size_t room)
{
    size_t used = 0;

    while (used < room) {
        struct pollfd waiting = {.fd = fd, .events = POLLIN};
        int ready = poll(&waiting, 1, PATIENCE_MS);
        ssize_t got = ready > 0 ? read(fd, out + used, room - used) : -1;

        if (ready == 0)
            errno = ETIMEDOUT;
        if (got < 0 && errno != EINTR && errno != EAGAIN)
            return -1;
        if (got == 0)
            break;
        used += got > 0 ? (size_t)got : 0;
    }
    return (ssize_t)used;
}

char *secret_read_file(const char *path, bool *is_open, char *reason, size_t reason_bytes)
{
    char text[FILE_MOST_BYTES + 1];
    char shown[SHOWN_BYTES];
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    struct stat stat = {0};
    ssize_t got = fd < 0 || fstat(fd, &stat) != 0 ? -1 : read_whole(fd, text, sizeof(text));
    int error = errno;
    size_t bytes = got > 0 ? (size_t)got : 0;

    secret_path(shown, sizeof(shown), path);
    if (fd >= 0)
        close(fd);
    if (got < 0) {
        snprintf(reason, reason_bytes, "password file %s: %s", shown, strerror(error));
        return NULL;
    }
    *is_open = (stat.st_mode & S_IROTH) != 0;
    while (bytes > 0 && bytes < sizeof(text) &&
           (text[bytes - 1] == '\n' || text[bytes - 1] == '\r'))
        bytes--;
    if (bytes > 0 && bytes < sizeof(text) && !memchr(text, '\0', bytes))
        return mem_strndup(text, bytes);
    snprintf(reason, reason_bytes,
             "password file %s: it has to hold a password of 1 to %d bytes, without NUL", shown,
             FILE_MOST_BYTES);
    return NULL;
}
