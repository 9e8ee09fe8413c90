#include "tests/unit/temp_file.h"

#include "shared/base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

void temp_file_make(struct temp_file *file)
{
    int fd;

    strcpy(file->path, "/tmp/highwater_test.XXXXXX");
    fd = mkstemp(file->path);
    assert_true(fd >= 0);
    close(fd);
}

void temp_file_remove(struct temp_file *file)
{
    unlink(file->path);
}

int temp_file_setup(void **state)
{
    struct temp_file *file = mem_calloc(1, sizeof(*file));

    temp_file_make(file);
    *state = file;
    return 0;
}

int temp_file_teardown(void **state)
{
    temp_file_remove(*state);
    free(*state);
    return 0;
}
