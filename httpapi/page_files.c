#include "httpapi/page_files.h"

__attribute__((weak)) const struct page_file page_files[] = {{0}};
