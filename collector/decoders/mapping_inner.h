/* mapping_inner.h: what mapping.c and mapping_member.c share and nobody else needs.
 *
 * Files    mapping.c (a message: which mapping, its payload as JSON, its members, the items),
 *          mapping_member.c (one member, read by one rule), mapping_value.c (numbers, statuses and texts
 *          where they stand), mapping_about.c (what devices are called).
 */
#ifndef HIGHWATER_MAPPING_INNER_H
#define HIGHWATER_MAPPING_INNER_H

#include "collector/decoders/mapping.h"

/* mapping.c: notes what is wrong; of several faults the first one is told. */
void mapping_fault(struct mapping_run *run, enum reading_error error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Whether a device's id comes of the topic alone, so that it is known without the payload. */
bool mapping_device_is_of_topic(const struct template *device);

/* mapping_no_value.c: no pointer is there, or what is there is no number; or all names are of features
 * nobody keeps. */
void mapping_fault_no_value(struct mapping_run *run, const struct json_token *root);

/* mapping_member.c: adds what the rule finds in the member to the message's readings; its name
 * is empty when it has none. */
void mapping_member_read(struct mapping_run *run, const struct mapping_rule *rule,
                         const struct json_token *item, const struct json_token *name);

/* The device that a rule says, legal. False: there is none, or what is there is none, which is noted. */
enum { MAPPING_NAME_SIZE = 1024 };
bool mapping_read_device(struct mapping_run *run, const struct mapping_rule *rule,
                         char id[MAPPING_NAME_SIZE]);

/* mapping_about.c: adds what the rule finds in the member of what a device is called. */
void mapping_about_read(struct mapping_run *run, const struct mapping_rule *rule);

/* One for each device. */
void mapping_about_close(struct mapping_run *run);

/* An empty message: what was said of the device that the topic names no longer holds. */
enum decoder_outcome mapping_about_take_back(struct mapping_run *run);

/* The device that the template says, if it has an outcome; whether it is a legal one is not looked at. */
bool mapping_put_device(struct mapping_run *run, const struct template *device, char *id,
                        size_t size);

/* mapping_value.c */
enum mapping_reading_of {
    VALUE_ABSENT, /* not there, or of no use */
    VALUE_NONE,   /* there, and says that there is none */
    VALUE_THERE
};

/* What a value depends on beside the member's bytes. */
void mapping_note(struct mapping_run *run, const char *text, size_t bytes);

/* The first of them that is there. */
bool mapping_find(struct mapping_run *run, const struct place_list *at, struct json_token *out);

enum mapping_reading_of mapping_number(struct mapping_run *run, const struct number_rule *rule,
                                       double *out);

enum mapping_reading_of mapping_status(struct mapping_run *run, const struct status_rule *rule,
                                       enum reading_status *out);

/* A whole number from 0 to 2^53, or -1. */
int64_t mapping_seq(struct mapping_run *run, const struct place_list *at);

bool mapping_is_one_of(const struct text_list *texts, const char *text, size_t bytes);

#endif
