/* Any file of settings: what is accepted has names of flags and values without control characters. */
#include "shared/base/config_file.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
    struct config_file file;
    struct config_fault fault;

    if (!config_file_parse(&file, (const char *)data, bytes, &fault)) {
        assert(fault.line > 0 && strlen(fault.text) > 0);
        return 0;
    }
    for (size_t i = 0; i < file.count; i++) {
        const struct config_entry *entry = &file.entries[i];

        assert(*entry->name && entry->name[strspn(entry->name, letters)] == '\0');
        for (const char *c = entry->value; *c; c++)
            assert((unsigned char)*c >= 0x20 || *c == '\t');
        for (size_t j = 0; j < i; j++)
            assert(strcmp(file.entries[j].name, entry->name) != 0 ||
                   strcmp(file.entries[j].section, entry->section) != 0);
    }
    config_file_release(&file);
    return 0;
}
