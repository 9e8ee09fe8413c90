/* mapping.h: readings out of the messages of devices that were made for something else.
 *
 * Idea     a mapping is a topic, a kind of payload and rules; a rule says where in a message the device,
 *          the time, the status and the features stand. It is compiled once (mapping_file.h) into the
 *          tables below; a message is scanned once, and each rule walks over its part of it once.
 * Shape    what one message says of one device and moment is one reading (mapping_readings.h), so all of
 *          a message is read before the first reading is given away: mapping_begin(), and then
 *          mapping_take() as often as something is left.
 * Identity of a reading is the hash of the bytes of the member that the rule ran for, its name among them,
 *          from the first to the last member when several say something of it; and of what else the reading
 *          depends on: the topic, the names of named values, and values that stand at the root (^/). Of
 *          bytes alone, {"v":5} on the topics of a temperature and of a humidity would be one reading.
 * About    a rule may say instead what a device is called (struct about); of one message and device that is
 *          one, and it is there whole when mapping_begin() returns.
 * Rejected is at most one item of a message, whose bytes are all of the payload: no less of it could be
 *          read again. Its detail is that of the first fault, and says how many more there were.
 * Units    as in reading_json.h.
 * Errors   enum decoder_outcome (decoder.h) for what is no fault; enum reading_error for the rest.
 * Owner    struct mappings owns its tables, struct mapping_run the memory that it keeps from message to
 *          message. A payload must stay until mapping_begin() returns, and is not needed later.
 */
#ifndef HIGHWATER_MAPPING_H
#define HIGHWATER_MAPPING_H

#include "collector/abouts.h"
#include "collector/decoder.h"
#include "collector/decoders/mapping_readings.h"
#include "collector/decoders/sparkplug.h"
#include "collector/decoders/template.h"
#include "collector/decoders/topic_pattern.h"
#include "collector/decoders/zone.h"
#include "collector/subscriptions.h"
#include "shared/base/buffer.h"
#include "shared/model/reading_json.h"
#include "shared/model/topic.h"

enum mapping_payload { MAPPING_JSON, MAPPING_TEXT, MAPPING_SENML, MAPPING_SPARKPLUG };

/* ---- compiled ------------------------------------------------------------------------------- */

struct number_rule {
    struct place_list at;
    double
        factor; /* or, when divides, what is divided by: 10.7 is 2140 / 200, and not 2140 * 0.005 */
    bool divides;
    int power; /* not 0: the factor is that power of ten, and only moves the point */
    double offset;
    double *bad;
    size_t bad_count;
};

/* A feature that the file names, and what it says of it for people. */
struct mapped_feature {
    char name[FEATURE_NAME_MAX + 1];
    char unit[FEATURE_UNIT_MAX + 1];
    char label[FEATURE_LABEL_MAX + 1];
};

struct feature_rule {
    struct number_rule value;
    size_t feature; /* of mappings->features */
};

/* A name that is given another one. */
struct rename_rule {
    const char *from;
    size_t feature;
};

struct named_rule {
    struct template name;
    struct number_rule value;
    struct rename_rule *renames; /* by name */
    size_t rename_count;
};

struct time_rule {
    struct place_list at;
    struct zone *zone;  /* NULL: UTC */
    const char *format; /* NULL: RFC 3339 */
    bool has_step;
    struct number_rule step; /* without a place it is the same everywhere: step.offset */
};

struct status_word {
    const char *text;
    enum reading_status status;
};

struct status_rule {
    struct place_list at;
    struct status_word *words;
    size_t word_count;
};

struct text_list {
    const char **items;
    size_t count;
};

struct when_rule {
    struct place at;
    struct text_list texts;
};

struct match_rule {
    struct template text;
    struct topic_pattern pattern;
};

/* What is made of a message for people. Of several texts the first that comes to something counts. */
struct text_rule {
    struct template *items;
    size_t count;
};

struct about_rule {
    struct text_rule label;
    struct text_rule group;
    struct text_rule location;
    struct number_rule latitude; /* both without a place: there are none */
    struct number_rule longitude;
};

struct mapping_rule {
    struct places places;
    struct json_pointer each;
    struct match_rule *matches;
    size_t match_count;
    struct when_rule *whens;
    size_t when_count;
    struct template device;
    struct time_rule time;
    struct place_list seq;
    struct status_rule status;
    struct feature_rule *features;
    size_t feature_count;
    struct named_rule named;
    struct about_rule *about; /* NULL: it is for readings; else there are none */
};

struct only_rule {
    int name;
    struct text_list texts;
};

struct mapping {
    struct topic_pattern topic;
    const char *subscription;
    enum mapping_payload payload;
    bool is_ignored;
    bool is_about; /* all of its rules are: it has no readings, so what is retained is no old one */
    struct only_rule *only;
    size_t only_count;
    struct json_pointer *unpack;
    size_t unpack_count;
    struct names names;
    struct mapping_rule *rules;
    size_t rule_count;
    size_t line; /* of the file */
};

struct mappings {
    struct arena arena;
    struct mapping *items;
    size_t count;
    struct zone **zones;
    size_t zone_count;
    size_t zone_capacity;
    /* the features that the file names, and where each is among those that readings have: */
    struct mapped_feature *features;
    size_t feature_count;
    size_t feature_capacity;
    size_t *positions; /* SIZE_MAX: readings have no such feature */
    size_t *sorted;    /* the positions of all that readings have, by name */
    const struct features *bound;
};

/* Says which features readings have; must outlive the mappings. Names that are not among them are
 * then members that are not kept. */
void mappings_bind(struct mappings *mappings, const struct features *features);

/* Adds what is to be subscribed to; what only says what devices are called, if it has `about_use`. NULL, or
 * what is wrong. */
const char *mappings_subscribe(const struct mappings *mappings, bool about_use,
                               struct subscriptions *out);

/* Whether a message with this topic has no readings, but what devices are called. */
bool mappings_are_about(const struct mappings *mappings, const char *topic);

/* Whether one of them is of the kind `sparkplug`, which needs a state. */
bool mappings_have_sparkplug(const struct mappings *mappings);

void mappings_release(struct mappings *mappings);

/* ---- run ------------------------------------------------------------------------------------ */

struct mapping_fault {
    enum reading_error error;
    size_t count;
    char detail[READING_DETAIL_SIZE];
    char device[DEVICE_ID_SIZE]; /* that the topic names; "": it names none */
};

/* What is kept from message to message. */
struct mapping_run {
    const struct mappings *mappings;
    const struct reading_rules *rules;
    struct sparkplug *sparkplug; /* NULL: no mapping is of that kind; whose run it is owns it */
    uint64_t epoch;              /* as in struct sparkplug_message, of the next message */
    bool is_again;               /* the same */
    bool is_at_most_once;        /* the same */
    struct reading_source source;
    struct mapping_readings readings;
    struct abouts
        abouts; /* of the message; whoever runs it takes the texts, or they go with the next one */
    struct mapping_fault fault;
    struct scope scope;
    struct found found;
    struct buffer json;           /* what senml or sparkplug was turned into */
    struct buffer unpacked;       /* and then this, where strings are unpacked */
    struct mapping_value *values; /* of the member that is read */
    size_t value_capacity;
    const struct mapping *mapping;
    bool says_none;
    bool is_meant;
    bool is_passed_over;
    bool lacks_device;
    uint64_t said_elsewhere; /* of the member that is read */
    unsigned unknown_members;
    char unknown_name[40]; /* of the first, cut to fit */
    size_t taken;
    unsigned taken_off; /* as reading_json_parse() says it */
};

/* `id` is NULL for a rejected item whose topic names no device. */
typedef void (*mapping_item_fn)(void *user, const char *id, const struct reading_item *item);

void mapping_run_init(struct mapping_run *run, const struct mappings *mappings,
                      const struct reading_rules *rules);
void mapping_run_release(struct mapping_run *run);

/* The source's device_id is not used. */
enum decoder_outcome mapping_begin(struct mapping_run *run, const struct reading_source *source,
                                   const char *topic, const char *payload, size_t bytes);

/* Up to `most` items, at least one. `payload` is what the rejected one is of. True when more are left. */
bool mapping_take(struct mapping_run *run, const char *payload, size_t bytes, size_t most,
                  mapping_item_fn on_item, void *user);

#endif
