/* Cleared rather than replaced by one that says "left": who subscribes then gets those that are beyond,
 * not all that ever were, and the broker keeps no more than that. */
#include "collector/threshold_notes.h"

#include "shared/base/json_write.h"
#include "shared/base/timestamp.h"
#include "shared/model/json_token.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { NOTES_PER_SECOND = 1000 };

void threshold_notes_init(struct threshold_notes *notes,
                          const struct threshold_notes_config *config)
{
    *notes = (struct threshold_notes){.config = *config};
    snprintf(notes->prefix, sizeof(notes->prefix), "collectors/%s/thresholds/",
             config->collector_id);
}

void threshold_notes_release(struct threshold_notes *notes)
{
    buffer_release(&notes->key);
    buffer_release(&notes->payload);
}

void threshold_notes_clear(struct threshold_notes *notes)
{
    thresholds_clear(notes->config.thresholds);
    notes->is_asked = notes->speaks = false;
}

/* ---- saying ------------------------------------------------------------------------------------- */

static bool is_ours(const void *user, uint32_t device)
{
    int32_t silent_s;

    return hearing_silence(user, device, &silent_s);
}

static const char *write_key(struct threshold_notes *notes, const struct threshold *threshold,
                             const char *device)
{
    buffer_clear(&notes->key);
    buffer_printf(&notes->key, "%s%s/%s/%s", notes->prefix,
                  notes->config.features->names[threshold->feature], threshold_side(threshold),
                  device);
    return buffer_text(&notes->key);
}

static void write_payload(struct threshold_notes *notes, const struct threshold *threshold,
                          const char *device, const struct threshold_state *state)
{
    const struct features *features = notes->config.features;
    struct buffer *out = &notes->payload;
    char when[TIMESTAMP_TEXT_SIZE];

    timestamp_format(when, state->since_us);
    buffer_put_text(out, "{\"deviceId\":");
    json_write_string(out, device);
    buffer_put_text(out, ",\"feature\":");
    json_write_string(out, features->names[threshold->feature]);
    buffer_printf(out, ",\"%s\":", threshold_side(threshold));
    json_write_double(out, threshold->limit);
    buffer_put_text(out, ",\"value\":");
    json_write_double(out, state->value);
    if (*features->units[threshold->feature]) {
        buffer_put_text(out, ",\"unit\":");
        json_write_string(out, features->units[threshold->feature]);
    }
    buffer_printf(out, ",\"timestamp\":\"%s\"}", when);
}

static bool say(struct threshold_notes *notes, const struct threshold_change *change)
{
    const struct threshold_state *state =
        thresholds_state(notes->config.thresholds, change->device, change->threshold);
    const struct threshold *threshold = &notes->config.thresholds->list->items[change->threshold];
    const struct device *device = &notes->config.devices->items[change->device];

    if (!device->is_legal)
        return true; /* it would make another topic */
    if (state->is_beyond && !is_ours(notes->config.hearing, change->device))
        return true; /* loaded just now */
    buffer_clear(&notes->payload);
    if (state->is_beyond)
        write_payload(notes, threshold, device->id, state);
    return board_publisher_put_note(notes->config.publisher, SINK_NOTE,
                                    write_key(notes, threshold, device->id), &notes->payload);
}

void threshold_notes_put(struct threshold_notes *notes)
{
    struct threshold_change change;

    while (notes->speaks && notes->put_count < NOTES_PER_SECOND &&
           thresholds_next(notes->config.thresholds, &change)) {
        notes->put_count++;
        if (say(notes, &change))
            continue;
        thresholds_put_back(notes->config.thresholds, &change);
        return;
    }
}

/* ---- what was said before ------------------------------------------------------------------------ */

/* <feature>/<above|below>/<device>: that of which device and threshold of today? */
static bool find(const struct threshold_notes *notes, const char *text,
                 struct threshold_change *change)
{
    const struct threshold_notes_config *config = &notes->config;
    const struct threshold_list *list = config->thresholds->list;
    const char *side = strchr(text, '/');
    const char *device = side ? strchr(side + 1, '/') : NULL;

    if (!device)
        return false;
    for (uint32_t i = 0; i < list->count; i++) {
        const char *name = config->features->names[list->items[i].feature];
        const char *word = threshold_side(&list->items[i]);

        if (strlen(name) == (size_t)(side - text) &&
            strncmp(name, text, (size_t)(side - text)) == 0 &&
            strlen(word) == (size_t)(device - side - 1) &&
            strncmp(word, side + 1, strlen(word)) == 0) {
            change->threshold = i;
            return devices_find(config->devices, device + 1, strlen(device + 1), &change->device);
        }
    }
    return false;
}

static bool parse(const void *bytes, size_t count, int64_t *since_us, double *found)
{
    struct json_value value;
    size_t at = 0;
    bool has_time = false;

    *found = NAN;
    if (json_scan_document(bytes, count, &at, &value) != JSON_OK || value.kind != JSON_OBJECT)
        return false;
    for (size_t i = 0; i < value.member_count && i < JSON_MEMBERS_MAX; i++) {
        const struct json_member *member = &value.members[i];

        if (json_token_is(&member->name, "timestamp", 9) && member->value.kind == JSON_STRING)
            has_time = json_token_timestamp(&member->value, since_us);
        else if (json_token_is(&member->name, "value", 5) && member->value.kind == JSON_NUMBER)
            *found = json_token_number(&member->value);
    }
    return has_time && isfinite(*found);
}

/* Whoever said that it crossed then had heard it then; another may have heard it since. */
static void remember(const struct threshold_notes *notes, uint32_t device, int64_t since_us)
{
    int64_t ago_s = (timestamp_now() - since_us) / 1000000;
    int64_t most_s = INT32_MAX / 2;

    hearing_remember(notes->config.hearing, device,
                     (int32_t)(ago_s < 0        ? 0
                               : ago_s < most_s ? ago_s
                                                : most_s));
    notes->config.hearing->is_to_compare = true;
}

void threshold_notes_recall(struct threshold_notes *notes, const char *key, const void *bytes,
                            size_t count)
{
    struct threshold_change change;
    int64_t since_us;
    double value;

    if (!notes->is_asked || strncmp(key, notes->prefix, strlen(notes->prefix)) != 0)
        return;
    if (find(notes, key + strlen(notes->prefix), &change) &&
        parse(bytes, count, &since_us, &value)) {
        remember(notes, change.device, since_us);
        thresholds_tell(notes->config.thresholds, change.device, change.threshold, since_us, value);
        return;
    }
    buffer_clear(&notes->payload);
    board_publisher_put_note(notes->config.publisher, SINK_NOTE, key, &notes->payload);
}

/* ---- when ---------------------------------------------------------------------------------------- */

void threshold_notes_begin(struct threshold_notes *notes)
{
    notes->is_asked = notes->speaks = false;
}

void threshold_notes_refused(struct threshold_notes *notes)
{
    notes->was_refused = true;
}

void threshold_notes_tick(struct threshold_notes *notes, bool is_complete)
{
    struct thresholds *thresholds = notes->config.thresholds;
    /* and not before what was retained has come: of that we know that it is ours */
    bool may_know = is_complete && notes->config.hearing->is_known;

    thresholds->is_known = may_know && (notes->is_asked || thresholds->is_known);
    if (thresholds->is_known)
        thresholds_keep(thresholds, notes->config.hearing, is_ours);
    notes->put_count = 0;
    if (notes->is_asked && (!notes->speaks || notes->was_refused))
        thresholds_repeat(thresholds);
    notes->speaks = notes->is_asked;
    notes->was_refused = false;
    if (!notes->is_asked && may_know)
        notes->is_asked = board_publisher_put_note(notes->config.publisher, SINK_RECALL,
                                                   notes->prefix, &notes->payload);
    threshold_notes_put(notes);
}
