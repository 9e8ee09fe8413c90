/* pg_rights.h: whether a role may do what its program has to, and whether the tables are those it knows.
 *
 * Shape    two questions in one string, each with one row: NULL, or the reason as a sentence that names
 *          role, right and tables. The second fails where the first has found something. Asked when a
 *          connection comes up and every few seconds, for rights come and go.
 */
#ifndef HIGHWATER_PG_RIGHTS_H
#define HIGHWATER_PG_RIGHTS_H

/* Of who only reads: httpapi, devicesim --verify. */
extern const char pg_rights_to_read_sql[];

/* Of a collector, which also makes partitions and columns, as only an owner can. */
extern const char pg_rights_to_write_sql[];

#endif
