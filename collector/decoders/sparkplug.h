/* sparkplug.h: what a Sparkplug host application knows of edge nodes, and their messages as plain JSON.
 *
 * Idea     a birth says which metrics a node or device has, with name, alias and type; data then comes by alias.
 *          So births are kept, and a message can only be read after them. What is kept goes into the
 *          database with the batch that has the messages it came from (sparkplug_take_changes()), so that a
 *          restart, and a message that is delivered again, find it as it was.
 * Shape    a message becomes
 *          {"timestamp":1700000000000,"seq":3,"metrics":[{"name":"Oil/Temperature","timestamp":..,"value":58.5}]}
 *          with names and signed values resolved, timestamps in ms; what is historical looks like the rest. A value
 *          that is null, or no number, truth or text, is null. A death becomes no JSON but a list of who died.
 * Sequence each message of a node has the number after the one before, modulo 256. A gap, a message of an unknown
 *          node, an alias that no birth has: the node is asked for a rebirth, now and, while there is none,
 *          at most after 1, 2, 4 ... 300 s. After a reconnect the broker may send again what was read already:
 *          the first message of a node on a new connection may go back in its sequence, or before its birth,
 *          if its timestamp does, too. Until something newer comes, what births of now do not explain was
 *          read by those of then: it is nothing new.
 * Rejected what has an alias, or an integer without a type, that no birth explains: all of the message, as
 *          READING_UNKNOWN_ALIAS. It is no less than a birth away from being read, so it can be sent again.
 * Limits   SPARKPLUG_NODES_MOST, SPARKPLUG_BIRTHS_MOST, SPARKPLUG_ID_MOST bytes of each name in a topic.
 * Owner    struct sparkplug owns all of it. Pure: time and the connection's number are arguments.
 * Source   Eclipse Sparkplug 3.0, chapters 5 and 6.
 */
#ifndef HIGHWATER_SPARKPLUG_H
#define HIGHWATER_SPARKPLUG_H

#include "collector/decoders/sparkplug_birth.h"
#include "collector/sparkplug_changes.h"
#include "shared/base/hash_index.h"
#include "shared/model/sparkplug_topic.h"

enum {
    SPARKPLUG_NODES_MOST = 100000,
    SPARKPLUG_BIRTHS_MOST = 1000000,
    SPARKPLUG_ID_MOST = 250, /* bytes */
    SPARKPLUG_ASK_LEAST_S = 1,
    SPARKPLUG_ASK_MOST_S = 300
};

struct sparkplug_node {
    char *group;
    char *edge;
    bool is_born;
    bool needs_birth; /* it is asked for until it comes */
    bool is_asking;   /* and is among those that sparkplug_next_request() gives out */
    bool is_changed;
    int bd_seq;                /* of its birth; -1 = it said none */
    int seq;                   /* of its last message; -1 = not known */
    int64_t heard_ms;          /* its timestamp; -1 = it had none */
    uint64_t epoch;            /* of the connection that it came on */
    int64_t replayed_until_ms; /* what is no later comes again; -1 = nothing does */
    int replayed_seq;          /* of the last that does */
    bool is_replay_over;       /* it was that */
    int64_t asked_at_us;
    unsigned asked; /* without an answer */
    struct sparkplug_birth *births;
};

/* A node's own, or a device's. */
struct sparkplug_birth {
    struct sparkplug_birth *next; /* of the same node */
    struct sparkplug_node *node;
    char *device; /* "": the node's own */
    bool is_alive;
    bool is_changed;
    int64_t born_ms; /* -1 = it did not say */
    struct sparkplug_names names;
    unsigned char *payload; /* until it has been given to be saved */
    size_t payload_bytes;
};

struct sparkplug_counters {
    uint64_t births;
    uint64_t deaths;
    uint64_t late_deaths; /* of an earlier birth: no matter */
    uint64_t out_of_order;
    uint64_t unknown; /* messages that no birth explains */
    uint64_t requests;
};

struct sparkplug {
    struct sparkplug_reader reader;
    struct sparkplug_node **nodes;
    size_t node_count;
    size_t node_capacity;
    struct hash_index node_index;
    struct sparkplug_birth **births;
    size_t birth_count;
    size_t birth_capacity;
    struct hash_index birth_index;
    struct buffer changed_nodes;  /* pointers */
    struct buffer changed_births; /* pointers */
    struct buffer asking;         /* pointers */
    struct buffer dead;           /* struct sparkplug_death each */
    struct sparkplug_counters counters;
};

struct sparkplug_message {
    const char *topic;
    const void *payload;
    size_t bytes;
    uint64_t epoch; /* grows with each connection to the broker */
    int64_t now_us;
    bool is_again; /* it was rejected before and is read again: it says nothing of the sequence */
    bool is_at_most_once; /* nobody sends it twice */
};

enum sparkplug_outcome {
    SPARKPLUG_READ,    /* there is JSON */
    SPARKPLUG_DIED,    /* there are deaths */
    SPARKPLUG_NOTHING, /* a command, a late death, what was read before: nothing for a reading */
    SPARKPLUG_REJECTED
};

struct sparkplug_result {
    enum reading_error error;
    char detail[READING_DETAIL_SIZE];
    bool has_timestamp; /* of a death */
    uint64_t timestamp_ms;
};

struct sparkplug_death {
    const char *group;
    const char *edge;
    const char *device; /* "": the node itself */
};

/* Appends to `json`. */
enum sparkplug_outcome sparkplug_take(struct sparkplug *state,
                                      const struct sparkplug_message *message, struct buffer *json,
                                      struct sparkplug_result *out);

/* Who died by the last message. */
const struct sparkplug_death *sparkplug_deaths(const struct sparkplug *state, size_t *count);

/* The next node to be asked for a rebirth; NULL when there is none. */
const struct sparkplug_node *sparkplug_next_request(struct sparkplug *state);

/* The payload of such a request. */
void sparkplug_put_request(struct buffer *out, int64_t now_us);

bool sparkplug_has_changes(const struct sparkplug *state);

/* Moves what is to be saved to `out`, which is empty. */
void sparkplug_take_changes(struct sparkplug *state, struct sparkplug_changes *out);

/* From what was saved: nodes first. False when it cannot be. */
bool sparkplug_load_node(struct sparkplug *state, const struct sparkplug_node_change *saved);
bool sparkplug_load_birth(struct sparkplug *state, const struct sparkplug_birth_change *saved);

/* Forgets everything but the counters. */
void sparkplug_clear(struct sparkplug *state);
void sparkplug_release(struct sparkplug *state);

#endif
