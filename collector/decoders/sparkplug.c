/* What a message says of its node comes first and holds whatever becomes of its metrics: a number of the
 * sequence is used up by a message that is rejected, too. */
#include "collector/decoders/sparkplug.h"

#include "collector/decoders/sparkplug_inner.h"
#include "shared/base/timestamp.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { SEQUENCE = 256 };

/* What is being taken. */
struct taking {
    struct sparkplug *state;
    const struct sparkplug_message *message;
    struct sparkplug_topic topic;
    struct sparkplug_payload payload;
    struct buffer *json;
    struct sparkplug_result *out;
};

__attribute__((format(printf, 3, 4))) static enum sparkplug_outcome
reject(struct taking *taking, enum reading_error error, const char *format, ...)
{
    va_list args;

    taking->out->error = error;
    va_start(args, format);
    vsnprintf(taking->out->detail, sizeof(taking->out->detail), format, args);
    va_end(args);
    return SPARKPLUG_REJECTED;
}

static enum sparkplug_outcome reject_too_many(struct taking *taking)
{
    return reject(taking, READING_TOO_MANY_MEMBERS,
                  "more than %d edge nodes, or %d births, are known already", SPARKPLUG_NODES_MOST,
                  SPARKPLUG_BIRTHS_MOST);
}

static int64_t payload_ms(const struct sparkplug_payload *payload)
{
    return payload->has_timestamp && payload->timestamp_ms <= INT64_MAX
               ? (int64_t)payload->timestamp_ms
               : -1;
}

/* ---- requests ------------------------------------------------------------------------------- */

static int64_t ask_after_us(const struct sparkplug_node *node)
{
    int64_t s = SPARKPLUG_ASK_LEAST_S;

    for (unsigned i = 1; i < node->asked && s < SPARKPLUG_ASK_MOST_S; i++)
        s *= 2;
    return (s < SPARKPLUG_ASK_MOST_S ? s : SPARKPLUG_ASK_MOST_S) * TIMESTAMP_US_PER_S;
}

/* A node that is not heard of is not asked: it would not hear it. */
static void ask_when_due(struct taking *taking, struct sparkplug_node *node)
{
    int64_t since_us = taking->message->now_us - node->asked_at_us;

    if (!node->needs_birth || node->is_asking || taking->message->is_again)
        return;
    if (node->asked_at_us != 0 && since_us >= 0 && since_us < ask_after_us(node))
        return;
    node->is_asking = true;
    node->asked_at_us = taking->message->now_us;
    node->asked++;
    buffer_put(&taking->state->asking, &node, sizeof(struct sparkplug_node *));
}

const struct sparkplug_node *sparkplug_next_request(struct sparkplug *state)
{
    struct sparkplug_node *node;
    size_t size = sizeof(struct sparkplug_node *);

    if (state->asking.bytes == 0)
        return NULL;
    memcpy(&node, state->asking.data, size);
    state->asking.bytes -= size;
    memmove(state->asking.data, state->asking.data + size, state->asking.bytes);
    node->is_asking = false;
    state->counters.requests++;
    return node;
}

void sparkplug_put_request(struct buffer *out, int64_t now_us)
{
    const uint64_t now_ms = (uint64_t)(now_us / 1000);
    const struct sparkplug_metric metric = {.name = {SPARKPLUG_REBIRTH, strlen(SPARKPLUG_REBIRTH)},
                                            .has_timestamp = true,
                                            .timestamp_ms = now_ms,
                                            .type = SPARKPLUG_BOOLEAN,
                                            .field = SPARKPLUG_IN_BOOLEAN,
                                            .whole = 1};
    const struct sparkplug_payload payload = {
        .has_timestamp = true, .timestamp_ms = now_ms, .metric_count = 1};

    sparkplug_write(out, &payload, &metric);
}

/* ---- the sequence --------------------------------------------------------------------------- */

/* ---- what is sent again --------------------------------------------------------------------- */

static int64_t node_born_ms(const struct sparkplug_node *node)
{
    const struct sparkplug_birth *birth = node->births;

    while (birth && *birth->device)
        birth = birth->next;
    return birth && birth->is_alive ? birth->born_ms : -1;
}

/* Going by its number; or it is of before its birth, or its death, since when the numbers are others. The one
 * that is next is new, however late it says it is: clocks are set back, too. */
static bool is_behind(const struct sparkplug_node *node, int seq, int64_t ms)
{
    if (node->seq < 0)
        return true;
    return seq != (node->seq + 1) % SEQUENCE &&
           (ms <= node_born_ms(node) || (node->seq - seq + SEQUENCE) % SEQUENCE < SEQUENCE / 2);
}

/* The first message on another connection, not later than what was heard last. */
static bool goes_back(const struct taking *taking, const struct sparkplug_node *node)
{
    int64_t ms = payload_ms(&taking->payload);

    return node->epoch != taking->message->epoch && !taking->message->is_at_most_once && ms >= 0 &&
           ms <= node->heard_ms && taking->payload.has_seq && taking->payload.seq < SEQUENCE &&
           is_behind(node, (int)taking->payload.seq, ms);
}

/* With the message that was heard last before it: the next one may be of the same millisecond, and is new. */
static void end_replay(struct sparkplug_node *node)
{
    if (node->is_replay_over)
        node->replayed_until_ms = -1;
    node->is_replay_over = false;
}

/* Until something newer comes, what is heard of the node is what was heard before. */
static bool is_again(const struct taking *taking, const struct sparkplug_node *node)
{
    int64_t ms = payload_ms(&taking->payload);

    return !taking->message->is_again && ms >= 0 && ms <= node->replayed_until_ms;
}

/* ---- the sequence --------------------------------------------------------------------------- */

static bool is_next(const struct taking *taking, const struct sparkplug_node *node)
{
    return node->seq < 0 || taking->payload.seq == (uint64_t)(node->seq + 1) % SEQUENCE;
}

static void hear(struct taking *taking, struct sparkplug_node *node)
{
    int64_t ms = payload_ms(&taking->payload);

    if (!is_again(taking, node)) {
        node->replayed_until_ms = -1;
        node->heard_ms = ms;
    } else if (ms == node->replayed_until_ms && (int)taking->payload.seq == node->replayed_seq) {
        node->is_replay_over = true;
    }
    if (taking->payload.has_seq)
        node->seq = taking->payload.seq < SEQUENCE ? (int)taking->payload.seq : -1;
    node->epoch = taking->message->epoch;
    sparkplug_node_changed(taking->state, node);
}

/* A message of a node's sequence that is no NBIRTH. */
static void follow(struct taking *taking, struct sparkplug_node *node)
{
    if (taking->message->is_again)
        return;
    end_replay(node);
    if (goes_back(taking, node)) {
        if (node->replayed_until_ms < 0)
            node->replayed_seq = node->seq;
        node->replayed_until_ms = node->heard_ms;
    } else if (taking->payload.has_seq && !is_next(taking, node)) {
        taking->state->counters.out_of_order++;
        node->needs_birth = true;
    }
    if (!node->is_born && !is_again(taking, node))
        node->needs_birth = true;
    hear(taking, node);
}

/* ---- births --------------------------------------------------------------------------------- */

/* -1: it says none. */
static int find_bd_seq(const struct taking *taking)
{
    for (size_t i = 0; i < taking->payload.metric_count; i++) {
        struct sparkplug_metric metric = sparkplug_metric_at(&taking->state->reader, i);

        if (metric.name.bytes == 5 && memcmp(metric.name.text, "bdSeq", 5) == 0 &&
            sparkplug_needs_type(&metric) && metric.whole < SEQUENCE)
            return (int)metric.whole;
    }
    return -1;
}

/* After it every device has to be born again. */
static void node_is_born(struct taking *taking, struct sparkplug_node *node)
{
    for (struct sparkplug_birth *birth = node->births; birth; birth = birth->next)
        sparkplug_birth_end(taking->state, birth);
    node->is_born = true;
    node->bd_seq = find_bd_seq(taking);
    node->needs_birth = false;
    node->asked = 0;
    node->seq = -1;
    end_replay(node);
    hear(taking, node);
}

static enum sparkplug_outcome put_json(struct taking *taking, struct sparkplug_node *node,
                                       const struct sparkplug_birth *birth)
{
    struct sparkplug_result *out = taking->out;

    if (sparkplug_put_json(&taking->state->reader, taking->json, &taking->payload, birth,
                           &out->error, out->detail))
        return SPARKPLUG_READ;
    if (out->error == READING_UNKNOWN_ALIAS && is_again(taking, node))
        return SPARKPLUG_NOTHING; /* it was read by an earlier birth, and is stored with that */
    if (out->error == READING_UNKNOWN_ALIAS) {
        taking->state->counters.unknown++;
        node->needs_birth = true;
    }
    return SPARKPLUG_REJECTED;
}

static enum sparkplug_outcome take_birth(struct taking *taking)
{
    struct sparkplug *state = taking->state;
    const struct sparkplug_message *message = taking->message;
    struct sparkplug_names names;
    struct sparkplug_birth *birth;
    enum sparkplug_outcome outcome;

    if (message->bytes > SPARKPLUG_BIRTH_BYTES_MOST)
        return reject(taking, READING_TOO_MANY_MEMBERS, "a birth has %zu bytes; at most %d",
                      message->bytes, SPARKPLUG_BIRTH_BYTES_MOST);
    birth = sparkplug_add_birth(state, &taking->topic);
    if (!birth)
        return reject_too_many(taking);
    if (taking->topic.kind == SPARKPLUG_DBIRTH)
        follow(taking, birth->node);
    if (!sparkplug_names_make(&names, &state->reader, taking->payload.metric_count,
                              &taking->out->error, taking->out->detail))
        return SPARKPLUG_REJECTED;
    if (taking->topic.kind == SPARKPLUG_NBIRTH)
        node_is_born(taking, birth->node);
    sparkplug_birth_set(state, birth, &names, payload_ms(&taking->payload), message->payload,
                        message->bytes);
    state->counters.births++;
    outcome = put_json(taking, birth->node, birth);
    ask_when_due(taking, birth->node);
    return outcome;
}

/* ---- data ----------------------------------------------------------------------------------- */

/* What comes again and is no newer than the birth may be of an earlier one, with other aliases. */
static bool is_of_birth(const struct taking *taking, const struct sparkplug_birth *birth)
{
    return birth->is_alive &&
           (!is_again(taking, birth->node) || payload_ms(&taking->payload) > birth->born_ms);
}

static enum sparkplug_outcome take_data(struct taking *taking)
{
    struct sparkplug_node *node = sparkplug_add_node(taking->state, &taking->topic);
    struct sparkplug_birth *birth;
    enum sparkplug_outcome outcome;

    if (!node)
        return reject_too_many(taking);
    follow(taking, node);
    birth = sparkplug_find_birth(taking->state, &taking->topic);
    if (birth && !is_of_birth(taking, birth))
        birth = NULL;
    outcome = put_json(taking, node, birth);
    ask_when_due(taking, node);
    return outcome;
}

/* ---- deaths --------------------------------------------------------------------------------- */

static void note_death(struct taking *taking, const struct sparkplug_node *node, const char *device)
{
    const struct sparkplug_death death = {node->group, node->edge, device};

    buffer_put(&taking->state->dead, &death, sizeof(death));
    taking->state->counters.deaths++;
}

/* The payload is a last will, written when the node connected: its timestamp is not when it died. */
static enum sparkplug_outcome take_node_death(struct taking *taking)
{
    struct sparkplug_node *node = sparkplug_find_node(taking->state, &taking->topic);
    int bd_seq = find_bd_seq(taking);

    if (!node || !node->is_born || (node->bd_seq >= 0 && bd_seq >= 0 && bd_seq != node->bd_seq)) {
        taking->state->counters.late_deaths++;
        return SPARKPLUG_NOTHING;
    }
    for (struct sparkplug_birth *birth = node->births; birth; birth = birth->next) {
        if (birth->is_alive)
            note_death(taking, node, birth->device);
        sparkplug_birth_end(taking->state, birth);
    }
    node->is_born = false;
    node->needs_birth = false;
    node->seq = -1;
    node->epoch = taking->message->epoch;
    sparkplug_node_changed(taking->state, node);
    return SPARKPLUG_DIED;
}

static enum sparkplug_outcome take_device_death(struct taking *taking)
{
    struct sparkplug_birth *birth = sparkplug_add_birth(taking->state, &taking->topic);

    if (!birth)
        return reject_too_many(taking);
    follow(taking, birth->node);
    sparkplug_birth_end(taking->state, birth);
    note_death(taking, birth->node, birth->device);
    taking->out->has_timestamp = taking->payload.has_timestamp;
    taking->out->timestamp_ms = taking->payload.timestamp_ms;
    ask_when_due(taking, birth->node);
    return SPARKPLUG_DIED;
}

const struct sparkplug_death *sparkplug_deaths(const struct sparkplug *state, size_t *count)
{
    *count = state->dead.bytes / sizeof(struct sparkplug_death);
    return (const void *)state->dead.data;
}

/* ---- a message ------------------------------------------------------------------------------ */

static bool is_short(const struct sparkplug_text *text)
{
    return text->bytes <= SPARKPLUG_ID_MOST;
}

static enum sparkplug_outcome take_kind(struct taking *taking)
{
    switch (taking->topic.kind) {
    case SPARKPLUG_NBIRTH:
    case SPARKPLUG_DBIRTH:
        return take_birth(taking);
    case SPARKPLUG_NDATA:
    case SPARKPLUG_DDATA:
        return take_data(taking);
    case SPARKPLUG_NDEATH:
        return take_node_death(taking);
    case SPARKPLUG_DDEATH:
        return take_device_death(taking);
    case SPARKPLUG_NCMD:
    case SPARKPLUG_DCMD:
    case SPARKPLUG_STATE:
    case SPARKPLUG_NO_TOPIC:
        break;
    }
    return SPARKPLUG_NOTHING;
}

static bool is_command(enum sparkplug_message_kind kind)
{
    return kind == SPARKPLUG_NCMD || kind == SPARKPLUG_DCMD || kind == SPARKPLUG_STATE;
}

enum sparkplug_outcome sparkplug_take(struct sparkplug *state,
                                      const struct sparkplug_message *message, struct buffer *json,
                                      struct sparkplug_result *out)
{
    struct taking taking = {.state = state,
                            .message = message,
                            .topic = sparkplug_topic_parse(message->topic),
                            .json = json,
                            .out = out};

    *out = (struct sparkplug_result){0};
    buffer_clear(&state->dead);
    if (is_command(taking.topic.kind))
        return SPARKPLUG_NOTHING;
    if (taking.topic.kind == SPARKPLUG_NO_TOPIC)
        return reject(&taking, READING_NO_SUCH_TOPIC,
                      "no topic of Sparkplug B: " SPARKPLUG_NAMESPACE
                      "/GROUP/KIND/EDGE or " SPARKPLUG_NAMESPACE "/GROUP/KIND/EDGE/DEVICE");
    if (!is_short(&taking.topic.group) || !is_short(&taking.topic.edge) ||
        !is_short(&taking.topic.device))
        return reject(&taking, READING_BAD_DEVICE_ID,
                      "a name in a topic of Sparkplug may have %d bytes", SPARKPLUG_ID_MOST);
    switch (sparkplug_read(&state->reader, message->payload, message->bytes, &taking.payload)) {
    case SPARKPLUG_FINE:
        break;
    case SPARKPLUG_NOT_PROTOBUF:
        return reject(&taking, READING_WRONG_TYPE, "the payload is no Sparkplug B (Protobuf)");
    case SPARKPLUG_TOO_MANY_METRICS:
    case SPARKPLUG_TOO_LARGE:
        return reject(&taking, READING_TOO_MANY_MEMBERS,
                      "more than %d metrics, or %d bytes of memory", SPARKPLUG_METRICS_MOST,
                      SPARKPLUG_MEMORY_MOST);
    }
    return take_kind(&taking);
}
