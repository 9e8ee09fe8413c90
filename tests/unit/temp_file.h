/* temp_file.h: an empty file of a test's own.
 *
 * Errors   fail the test.
 * Owner    embedded; temp_file_remove() deletes the file.
 */
#ifndef HIGHWATER_TEMP_FILE_H
#define HIGHWATER_TEMP_FILE_H

struct temp_file {
    char path[64];
};

void temp_file_make(struct temp_file *file);
void temp_file_remove(struct temp_file *file);

/* Of a test whose state is the file and nothing else. */
int temp_file_setup(void **state);
int temp_file_teardown(void **state);

#endif
