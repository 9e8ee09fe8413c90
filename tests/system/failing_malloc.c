/* failing_malloc: makes one allocation of a process fail, by LD_PRELOAD.
 *
 * MALLOC_FAIL_AT=n   the n-th call of malloc, calloc or realloc answers NULL; 0 or unset = none
 * MALLOC_COUNT=file  at exit, the number of calls is written there
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *old, size_t bytes);

static atomic_long calls;
static long fail_at;

__attribute__((constructor)) static void start(void)
{
    const char *setting = getenv("MALLOC_FAIL_AT");

    fail_at = setting ? atol(setting) : 0;
    atomic_store(&calls, 0);
}

__attribute__((destructor)) static void end(void)
{
    const char *file = getenv("MALLOC_COUNT");
    FILE *out = file ? fopen(file, "w") : NULL;

    if (out) {
        fprintf(out, "%ld\n", atomic_load(&calls));
        fclose(out);
    }
}

static int fails(void)
{
    if (atomic_fetch_add(&calls, 1) + 1 != fail_at)
        return 0;
    errno = ENOMEM;
    return 1;
}

void *malloc(size_t bytes)
{
    return fails() ? NULL : __libc_malloc(bytes);
}

void *calloc(size_t count, size_t bytes)
{
    return fails() ? NULL : __libc_calloc(count, bytes);
}

void *realloc(void *old, size_t bytes)
{
    return fails() ? NULL : __libc_realloc(old, bytes);
}
