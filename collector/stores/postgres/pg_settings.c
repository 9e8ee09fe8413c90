#include "collector/settings.h"
#include "shared/net/pg_url.h"

const char *settings_database_flaw(const char *url)
{
    return pg_url_flaw(url);
}
