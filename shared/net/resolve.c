#include "shared/net/resolve.h"

#include <arpa/inet.h>

bool resolve_is_numeric(const char *host)
{
    unsigned char address[sizeof(struct in6_addr)];

    return inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
}

bool resolve_pick(const struct addrinfo *found, uint64_t nth, char *out, size_t out_bytes)
{
    const struct addrinfo *chosen = found;
    uint64_t count = 0;

    for (const struct addrinfo *a = found; a; a = a->ai_next)
        count++;
    if (count == 0)
        return false;
    for (uint64_t skip = nth % count; skip > 0; skip--)
        chosen = chosen->ai_next;
    return getnameinfo(chosen->ai_addr, chosen->ai_addrlen, out, (socklen_t)out_bytes, NULL, 0,
                       NI_NUMERICHOST) == 0;
}
