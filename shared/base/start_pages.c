/* libpq alone brings some twenty libraries. To relocate them, the linker reads their tables; to
 * make themselves ready, some run through much of their code; and the kernel maps sixteen pages
 * around each that is touched. Of that, two thirds of what the program has resident, hardly a page
 * is looked at again.
 *
 * Segments that are never writable are files and nothing else, so they can be left out and come back
 * unchanged; relocations are written to the others. A library that is relocated in its text
 * (DT_TEXTREL) is left alone. */
#define _GNU_SOURCE // NOLINT(bugprone-reserved-identifier): dl_iterate_phdr(), madvise()
#include "shared/base/start_pages.h"

#include <link.h>
#include <malloc.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static bool has_relocated_text(const struct dl_phdr_info *object)
{
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &object->dlpi_phdr[i];
        const ElfW(Dyn) * entry;

        if (header->p_type != PT_DYNAMIC)
            continue;
        entry = (const ElfW(Dyn) *)(object->dlpi_addr + header->p_vaddr);
        for (; entry->d_tag != DT_NULL; entry++)
            if (entry->d_tag == DT_TEXTREL ||
                (entry->d_tag == DT_FLAGS && (entry->d_un.d_val & DF_TEXTREL) != 0))
                return true;
    }
    return false;
}

static int release(struct dl_phdr_info *object, size_t size, void *user)
{
    const uintptr_t page = *(const uintptr_t *)user;

    (void)size;
    if (strncmp(object->dlpi_name, "linux-vdso", 10) == 0 || has_relocated_text(object))
        return 0;
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &object->dlpi_phdr[i];
        uintptr_t from = (object->dlpi_addr + header->p_vaddr + page - 1) / page * page;
        uintptr_t to = (object->dlpi_addr + header->p_vaddr + header->p_memsz) / page * page;

        if (header->p_type == PT_LOAD && (header->p_flags & PF_W) == 0 && from < to)
            madvise((void *)from, to - from, MADV_DONTNEED); // NOLINT(performance-no-int-to-ptr)
    }
    return 0;
}

void start_pages_release(void)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

    malloc_trim(0);
    dl_iterate_phdr(release, &page);
}
