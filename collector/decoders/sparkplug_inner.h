/* sparkplug_inner.h: what the files of the Sparkplug state know of each other; nobody else includes it.
 *
 * Files    sparkplug.c        a message: its sequence, births, deaths, requests
 *          sparkplug_nodes.c  nodes and births, found, added, saved and loaded
 *          sparkplug_json.c   metrics as JSON
 */
#ifndef HIGHWATER_SPARKPLUG_INNER_H
#define HIGHWATER_SPARKPLUG_INNER_H

#include "collector/decoders/sparkplug.h"

enum { SPARKPLUG_BIRTH_BYTES_MOST = 4 * 1024 * 1024 };

/* sparkplug_nodes.c: NULL when it is not there, or, to be added, when there are too many. */
struct sparkplug_node *sparkplug_find_node(const struct sparkplug *state,
                                           const struct sparkplug_topic *topic);
struct sparkplug_node *sparkplug_add_node(struct sparkplug *state,
                                          const struct sparkplug_topic *topic);
struct sparkplug_birth *sparkplug_find_birth(const struct sparkplug *state,
                                             const struct sparkplug_topic *topic);
struct sparkplug_birth *sparkplug_add_birth(struct sparkplug *state,
                                            const struct sparkplug_topic *topic);

void sparkplug_node_changed(struct sparkplug *state, struct sparkplug_node *node);

/* The names are taken over, the payload is copied. */
void sparkplug_birth_set(struct sparkplug *state, struct sparkplug_birth *birth,
                         struct sparkplug_names *names, int64_t born_ms, const void *payload,
                         size_t bytes);
void sparkplug_birth_end(struct sparkplug *state, struct sparkplug_birth *birth);

/* sparkplug_json.c: of what was read last. `birth` may be NULL. False, with an error and a sentence,
 * when a metric cannot be read. */
bool sparkplug_put_json(const struct sparkplug_reader *reader, struct buffer *out,
                        const struct sparkplug_payload *payload,
                        const struct sparkplug_birth *birth, enum reading_error *error,
                        char detail[READING_DETAIL_SIZE]);

#endif
