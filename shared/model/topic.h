/* topic.h: topic filters with one device level, and which ids are legal.
 *
 * Shape    a filter such as devices/+/readings or $share/group/site-a/devices/+/readings: exactly
 *          one `+`, which is where the device id stands, and no `#`.
 * Errors   false; the caller names the text and says TOPIC_FILTER_LEGAL or DEVICE_ID_LEGAL.
 * Owner    the filter text is borrowed.
 */
#ifndef HIGHWATER_TOPIC_H
#define HIGHWATER_TOPIC_H

#include <stdbool.h>
#include <stddef.h>

enum { DEVICE_ID_MAX_CHARACTERS = 64, DEVICE_ID_SIZE = 4 * DEVICE_ID_MAX_CHARACTERS + 1 };

#define DEVICE_ID_LEGAL                                                                            \
    "1 to 64 characters of UTF-8, none a control, format or other invisible one, '/', '+' or "     \
    "'#', "                                                                                        \
    "and not . or .."
#define TOPIC_FILTER_LEGAL                                                                         \
    "a topic filter with exactly one '+', for the device id, no '#' and nothing invisible"

struct topic_filter {
    const char *text;   /* as it is subscribed to */
    const char *prefix; /* what stands before the device id, without $share/group/ */
    size_t prefix_bytes;
    const char *suffix; /* what stands after it */
    size_t suffix_bytes;
};

/* How much of a filter is its $share/group/, 0 when it is not shared. */
size_t topic_share_bytes(const char *filter);

/* Whether every topic that fits the narrow filter fits the wide one; a topic is as narrow as can be. A broker
 * may deliver a message once for each filter that it fits, so the narrow one is not to be subscribed to as
 * well. */
bool topic_filter_covers(const char *wide, const char *narrow);

/* True for any filter of MQTT whose characters can be seen: + is a whole level, and # the last one. */
bool topic_filter_is_legal(const char *filter);

/* A filter with one + and no #. */
bool topic_filter_parse(struct topic_filter *out, const char *text);

/* $share/group/...: several subscribers get a part of the messages each. */
static inline bool topic_filter_is_shared(const struct topic_filter *filter)
{
    return filter->prefix != filter->text;
}

/* Where in a topic the device id stands; false when it does not match the filter. Whether the id is
 * legal is another question. */
bool topic_find_id(const struct topic_filter *filter, const char *topic, const char **start,
                   size_t *bytes);

/* Copies the device id of a topic into `id` (DEVICE_ID_SIZE bytes). False when the topic does
 * not match the filter or its id is not legal. */
bool topic_device_id(char *id, const struct topic_filter *filter, const char *topic);

/* True for a legal id of `bytes` bytes, be it a device's or a collector's: DEVICE_ID_LEGAL. What is
 * invisible (invisible.h) would make two ids look alike; `.` and `..` vanish from a URL's path on
 * its way, so that /devices/../histogram asks for another thing. */
bool device_id_is_legal(const char *id, size_t bytes);

/* True for what an id may be in the tables, from before those were refused: nothing that would make
 * a topic or a line of a log another one. */
bool device_id_is_storable(const char *id, size_t bytes);

#endif
