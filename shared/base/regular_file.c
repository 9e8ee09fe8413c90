#include "shared/base/regular_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

int regular_file_open(const char *path, struct stat *status, const char **flaw)
{
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

    if (fd >= 0 && fstat(fd, status) == 0 && S_ISREG(status->st_mode))
        return fd;
    if (fd < 0)
        *flaw = strerror(errno);
    else
        *flaw = S_ISDIR(status->st_mode) ? strerror(EISDIR) : "it is no regular file";
    if (fd >= 0)
        close(fd);
    return -1;
}
