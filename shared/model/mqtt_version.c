#include "shared/model/mqtt_version.h"

#include <string.h>

bool mqtt_version_parse(bool *is_v311, const char *text)
{
    *is_v311 = strcmp(text, "3.1.1") == 0;
    return *is_v311 || strcmp(text, "5") == 0 || strcmp(text, "5.0") == 0;
}
