/* pg_hosts.h: the hosts of a connection string, one for each attempt.
 *
 * Shape    a round is one attempt at each, in their order. With target_session_attrs=prefer-standby it is
 *          one at each as a standby, then one at each as whatever it is.
 * Why      libpq would try them itself, but on the loop it has neither a time limit for a host, so that one
 *          whose machine is gone keeps it from the others, nor a way to look up names off the loop.
 * Limits   what is not a plain list (a service file, lists of different lengths, empty entries) is one
 *          attempt, and left to libpq as it is.
 * Source   PostgreSQL 15 manual, sections 34.1.1.3 and 34.1.2.
 */
#ifndef HIGHWATER_PG_HOSTS_H
#define HIGHWATER_PG_HOSTS_H

#include <stdbool.h>
#include <stddef.h>

/* Where an attempt goes; above what the string says, where it is chosen. */
struct pg_place {
    bool is_chosen;
    char host[256];
    char port[8];
    char address[64];  /* numeric: given, or looked up; "" = there is none */
    const char *attrs; /* target_session_attrs; NULL = as the string has it */
};

/* How many attempts make a round; 1 = there is nothing to choose. */
size_t pg_hosts_round(const char *url);

/* Of the attempts of a round the one with this number. */
void pg_hosts_choose(const char *url, size_t attempt, struct pg_place *out);

#endif
