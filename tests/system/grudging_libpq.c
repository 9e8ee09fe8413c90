/* grudging_libpq: a libpq whose buffer is full now and then, by LD_PRELOAD.
 *
 * In non-blocking mode PQputCopyData() and PQputCopyEnd() may answer 0: nothing was taken. libpq does
 * that when it has no memory for more and cannot write what it has; here every other call does.
 *
 * COPY_REFUSALS=file  every other call to send COPY data is refused, and adds a byte to the file
 * SEND_FAILS_AT=n     the n-th question for a page of readings cannot be sent, as
 *                     when the connection is found dead
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int refuses(unsigned *calls, const char *kind)
{
    const char *file = getenv("COPY_REFUSALS");
    int fd;

    if (!file || ++*calls % 2 == 0)
        return 0;
    fd = open(file, O_WRONLY | O_CREAT | O_APPEND, 0644);
    if (fd < 0 || write(fd, kind, 1) != 1)
        abort();
    close(fd);
    return 1;
}

int PQputCopyData(void *conn, const char *buffer, int bytes)
{
    static unsigned calls;
    int (*next)(void *, const char *, int) =
        (int (*)(void *, const char *, int))dlsym(RTLD_NEXT, "PQputCopyData");

    return refuses(&calls, "d") ? 0 : next(conn, buffer, bytes);
}

int PQputCopyEnd(void *conn, const char *error)
{
    static unsigned calls;
    int (*next)(void *, const char *) =
        (int (*)(void *, const char *))dlsym(RTLD_NEXT, "PQputCopyEnd");

    return refuses(&calls, "e") ? 0 : next(conn, error);
}

int PQsendQueryParams(void *conn, const char *command, int count, const unsigned *types,
                      const char *const *values, const int *lengths, const int *formats, int binary)
{
    static long calls;
    const char *setting = getenv("SEND_FAILS_AT");
    int (*next)(void *, const char *, int, const unsigned *, const char *const *, const int *,
                const int *, int) =
        (int (*)(void *, const char *, int, const unsigned *, const char *const *, const int *,
                 const int *, int))dlsym(RTLD_NEXT, "PQsendQueryParams");

    if (setting && strstr(command, "device_runs(") && ++calls == atol(setting))
        return 0;
    return next(conn, command, count, types, values, lengths, formats, binary);
}
