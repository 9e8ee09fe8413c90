#include "collector/sinks/rival.h"

#include "shared/base/timestamp.h"
#include "shared/model/json_scan.h"
#include "shared/model/json_token.h"

#include <stdio.h>
#include <string.h>

/* What another's status says that matters here. */
struct said {
    char installation[MQTT_IDENTITY_MARK_SIZE];
    bool has_ended;
    int64_t started_at_us; /* INT64_MAX = not said */
};

static void set_state(struct rival *rival, enum rival_state state, uint64_t now_ms)
{
    if (rival->state == state)
        return;
    rival->state = state;
    rival->since_ms = now_ms;
}

void rival_init(struct rival *rival, const char *installation, int64_t started_at_us)
{
    *rival = (struct rival){.state = RIVAL_LOOKING, .started_at_us = started_at_us};
    snprintf(rival->ours, sizeof(rival->ours), "%s", installation);
}

void rival_begin(struct rival *rival, uint64_t now_ms)
{
    if (rival->state == RIVAL_SILENT)
        rival->heard_ms = now_ms; /* what was said meanwhile is not known */
    else if (rival->state == RIVAL_DOUBTING)
        rival->state = RIVAL_LOOKING;
    rival->since_ms = now_ms;
}

static void parse_member(struct said *said, const struct json_member *member)
{
    struct json_text value;

    if (member->value.kind != JSON_STRING)
        return;
    json_text_init(&value, &member->value);
    /* a mark is letters and digits, so that it can be shown as it is */
    if (json_token_is(&member->name, "installation", 12) && mqtt_identity_is_legal(value.chars) &&
        strlen(value.chars) < sizeof(said->installation))
        strcpy(said->installation, value.chars);
    else if (json_token_is(&member->name, "state", 5))
        said->has_ended = strcmp(value.chars, "stopped") == 0 || strcmp(value.chars, "lost") == 0;
    else if (json_token_is(&member->name, "startedAt", 9) &&
             !timestamp_parse(&said->started_at_us, value.chars))
        said->started_at_us = INT64_MAX;
    json_text_release(&value);
}

static struct said read_status(const void *payload, size_t bytes)
{
    struct said said = {.started_at_us = INT64_MAX};
    struct json_value value;
    size_t at = 0;

    if (json_scan_document(payload, bytes, &at, &value) != JSON_OK || value.kind != JSON_OBJECT)
        return said;
    for (size_t i = 0; i < value.member_count && i < JSON_MEMBERS_MAX; i++)
        parse_member(&said, &value.members[i]);
    return said;
}

bool rival_is_there(const void *payload, size_t bytes, char who[MQTT_IDENTITY_MARK_SIZE])
{
    struct said said = read_status(payload, bytes);

    strcpy(who, said.installation);
    return bytes > 0 && !said.has_ended;
}

/* Both compare the same two pairs, so that one of them gives way, and only one. */
static bool goes_first(const struct rival *rival, const struct said *other)
{
    if (other->started_at_us != rival->started_at_us)
        return other->started_at_us < rival->started_at_us;
    return strcmp(other->installation, rival->ours) < 0;
}

void rival_apply_status(struct rival *rival, const void *payload, size_t bytes, bool is_retained,
                        uint64_t now_ms)
{
    struct said said = read_status(payload, bytes);

    if (!*said.installation || strcmp(said.installation, rival->ours) == 0 || said.has_ended)
        return;
    if (is_retained && rival->state != RIVAL_LOOKING)
        return;
    strcpy(rival->theirs, said.installation);
    if (is_retained) {
        set_state(rival, RIVAL_DOUBTING, now_ms);
        return;
    }
    rival->is_heard = true;
    rival->heard_ms = now_ms;
    if (rival->state != RIVAL_SPEAKING || goes_first(rival, &said))
        set_state(rival, RIVAL_SILENT, now_ms);
}

void rival_looked(struct rival *rival, uint64_t now_ms)
{
    if (rival->state == RIVAL_LOOKING)
        set_state(rival, RIVAL_SPEAKING, now_ms);
}

void rival_tick(struct rival *rival, uint64_t now_ms)
{
    uint64_t age_ms = now_ms - rival->since_ms;

    if ((rival->state == RIVAL_LOOKING && age_ms >= RIVAL_LOOK_MS) ||
        (rival->state == RIVAL_DOUBTING && age_ms >= RIVAL_DOUBT_MS))
        set_state(rival, RIVAL_SPEAKING, now_ms);
    else if (rival->state == RIVAL_SILENT && now_ms - rival->heard_ms >= RIVAL_GONE_MS)
        set_state(rival, RIVAL_LOOKING, now_ms);
}

bool rival_explain(const struct rival *rival, const char *collector_id, uint64_t now_ms, char *out,
                   size_t out_bytes)
{
    if (rival->state == RIVAL_SILENT)
        snprintf(
            out, out_bytes,
            "installation %s has a collector with COLLECTOR_ID %s at this broker, too, and ours, "
            "%s, publishes neither boards nor status meanwhile; readings are stored all the same: "
            "give one of the two another COLLECTOR_ID",
            rival->theirs, collector_id, rival->ours);
    else if (rival->state == RIVAL_SPEAKING && rival->is_heard &&
             now_ms - rival->heard_ms < RIVAL_RECENT_MS)
        snprintf(
            out, out_bytes,
            "installation %s publishes boards and status of COLLECTOR_ID %s over those of ours, "
            "%s: give one of the two another COLLECTOR_ID",
            rival->theirs, collector_id, rival->ours);
    else
        return false;
    return true;
}
