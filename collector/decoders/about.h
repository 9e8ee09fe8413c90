/* about.h: what a device says of itself: devices/<id>/about, retained.
 *
 * Shape    {"label": "Pump 3", "group": "Hall A", "location": "2nd floor" or {"latitude": 52.5, "longitude": 13.4}}:
 *          each may be absent or null, other members are ignored. The last message holds, as a whole; an
 *          empty one takes back what was said.
 * Errors   a rejected message, whose sentence names the value and what is legal.
 * Owner    the texts of what is handed out are the taker's.
 */
#ifndef HIGHWATER_DECODERS_ABOUT_H
#define HIGHWATER_DECODERS_ABOUT_H

#include "collector/abouts.h"
#include "collector/decoder.h"

enum { ABOUT_LABEL_MAX = 128, ABOUT_GROUP_MAX = 64, ABOUT_LOCATION_MAX = 128 }; /* bytes */

struct about_decoder {
    struct decoder decoder;
    const struct topic_filter *filters;
    size_t filter_count;
    void (*on_about)(void *user, const struct about *about);
};

void about_decoder_init(struct about_decoder *about, const struct topic_filter *filters,
                        size_t filter_count, const struct decoder_taker *taker,
                        void (*on_about)(void *user, const struct about *about));

/* Whether such a message is of this decoder: of this kind retained ones are meant. */
bool about_decoder_has(const struct about_decoder *about, const char *topic);

/* What the payload says, but for the device. READING_OK, or what is wrong, with a sentence in `detail`. What stood around it
 * and is no part of it is in `taken_off`, as of a reading (READING_BYTE_ORDER_MARK ...). */
enum reading_error about_parse(struct about *out, const char *payload, size_t bytes,
                               unsigned *taken_off, char detail[READING_DETAIL_SIZE]);

/* A part of it out of elsewhere, legal or not as it is there. An error changes nothing, and has a sentence. */
enum reading_error about_put_label(struct about *out, const char *text,
                                   char detail[READING_DETAIL_SIZE]);
enum reading_error about_put_group(struct about *out, const char *text,
                                   char detail[READING_DETAIL_SIZE]);
enum reading_error about_put_location(struct about *out, const char *text,
                                      char detail[READING_DETAIL_SIZE]);
enum reading_error about_put_degrees(struct about *out, double latitude, double longitude,
                                     char detail[READING_DETAIL_SIZE]);

#endif
