#include "devicesim/emitter.h"

#include "devicesim/latency_probe.h"
#include "devicesim/oversize.h"
#include "shared/base/mem.h"

#include <stdlib.h>
#include <string.h>

/* The first feature of an oversized reading, so that it differs from the reading it follows. */
#define OVERSIZED_VALUE 1e306

/* Before a device id it gives another one that is legal. */
#define WRONG_ID_PREFIX "not-"

void emitter_init(struct emitter *emitter, const struct emitter_config *config)
{
    *emitter = (struct emitter){.config = *config};
}

void emitter_release(struct emitter *emitter)
{
    for (size_t i = 0; i < emitter->device_capacity; i++)
        free(emitter->kept[i]);
    free(emitter->kept);
    buffer_release(&emitter->topic);
    buffer_release(&emitter->payload);
}

static void compose_topic(struct emitter *emitter, const char *device_id)
{
    const struct topic_filter *topic = emitter->config.topic;

    buffer_clear(&emitter->topic);
    buffer_put(&emitter->topic, topic->prefix, topic->prefix_bytes);
    buffer_put_text(&emitter->topic, device_id);
    buffer_put_text(&emitter->topic, topic->suffix);
}

static void compose_payload(struct emitter *emitter, const char *device_id,
                            const struct emitter_reading *what)
{
    buffer_clear(&emitter->payload);
    payload_write_as(&emitter->payload, emitter->config.shape, device_id, what->reading,
                     emitter->config.features, emitter->config.with_seq ? (int64_t)what->k : -1);
}

/* What the buffers hold, as a message. */
static struct message composed(struct emitter *emitter, const char *device_id, const char *kind,
                               enum truth_expect expect, const struct reading *reading)
{
    return (struct message){
        .topic = buffer_text(&emitter->topic),
        .truth = {.expect = expect,
                  .kind = kind,
                  .device_id = device_id,
                  .reading = expect == TRUTH_REJECTED ? NULL : reading,
                  .payload = emitter->payload.data ? (const void *)emitter->payload.data : "",
                  .bytes = emitter->payload.bytes}};
}

static void publish(struct emitter *emitter, const struct emitter_reading *what, const char *kind,
                    enum truth_expect expect)
{
    struct message message = composed(emitter, what->device_id, kind, expect, what->reading);

    message.device = what->device;
    publishers_send(emitter->config.publishers, what->publisher, &message);
}

static void send_reading(struct emitter *emitter, const struct emitter_reading *what,
                         bool is_repeated)
{
    compose_payload(emitter, what->device_id, what);
    publish(emitter, what, "reading", what->expect);
    if (emitter->config.probe)
        latency_probe_note_sent(emitter->config.probe, what->device_id,
                                what->reading->recorded_at_us, uv_hrtime() / 1000);
    emitter->config.report->readings++;
    if (!is_repeated)
        return;
    publish(emitter, what, fault_name(FAULT_REPEATED), what->expect);
    emitter->config.report->faults[FAULT_REPEATED]++;
}

/* Has the clock and the status of the reading; its values, where it has any, are others, so that it
 * cannot pass for the reading. */
static void send_malformed(struct emitter *emitter, const struct emitter_reading *what,
                           size_t class)
{
    union reading_storage copy;
    const struct malformed_class *kind = malformed_class(class);

    memcpy(&copy, what->reading, reading_size(emitter->config.features->count));
    buffer_clear(&emitter->payload);
    malformed_write(&emitter->payload, class, what->device_id, &copy.reading,
                    emitter->config.features);
    publish(emitter,
            &(struct emitter_reading){.publisher = what->publisher,
                                      .device_id = what->device_id,
                                      .reading = &copy.reading},
            kind->name, kind->is_legal ? what->expect : TRUTH_REJECTED);
    emitter->config.report->faults[FAULT_MALFORMED]++;
    emitter->config.report->malformed[class]++;
    if (kind->is_legal)
        emitter->config.report->readings++;
}

static void send_wrong_id(struct emitter *emitter, const struct emitter_reading *what)
{
    char other[DEVICE_ID_SIZE + sizeof(WRONG_ID_PREFIX)] = WRONG_ID_PREFIX;
    size_t bytes = strlen(what->device_id);

    memcpy(other + strlen(other), what->device_id, bytes + 1);
    compose_payload(emitter, other, what);
    publish(emitter, what, fault_name(FAULT_WRONG_ID), TRUTH_REJECTED);
    emitter->config.report->faults[FAULT_WRONG_ID]++;
}

/* A valid reading of its own, in a far too large envelope. */
static void send_oversized(struct emitter *emitter, const struct emitter_reading *what)
{
    struct emitter_reading larger = *what;
    union reading_storage copy;
    struct message message;

    memcpy(&copy, what->reading, reading_size(emitter->config.features->count));
    copy.reading.values[0] = OVERSIZED_VALUE;
    larger.reading = &copy.reading;
    compose_payload(emitter, what->device_id, &larger);
    emitter->payload.bytes--; /* the closing brace */
    buffer_put_text(&emitter->payload, ",\"padding\":\"");
    while (emitter->payload.bytes + 2 < emitter->config.oversized_bytes)
        buffer_put(&emitter->payload, "x", 1);
    buffer_put_text(&emitter->payload, "\"}");
    message = composed(emitter, what->device_id, fault_name(FAULT_OVERSIZED), what->expect,
                       larger.reading);
    oversize_send(emitter->config.oversize, &message);
    emitter->config.report->faults[FAULT_OVERSIZED]++;
}

static struct emitter_kept **slot_of(struct emitter *emitter, uint32_t device)
{
    emitter->kept = mem_grow_zeroed(emitter->kept, &emitter->device_capacity, (size_t)device + 1,
                                    sizeof(emitter->kept[0]));
    return &emitter->kept[device];
}

static void keep(struct emitter *emitter, struct emitter_kept **slot,
                 const struct emitter_reading *what)
{
    size_t bytes = reading_size(emitter->config.features->count);

    *slot = mem_alloc(sizeof(**slot) + bytes);
    **slot = (struct emitter_kept){
        .expect = what->expect, .k = what->k, .reading = (struct reading *)(*slot + 1)};
    memcpy((*slot)->reading, what->reading, bytes);
}

void emitter_finish(struct emitter *emitter, size_t publisher, uint32_t device,
                    const char *device_id)
{
    struct emitter_kept **slot = slot_of(emitter, device);
    struct emitter_kept *kept = *slot;

    if (!kept)
        return;
    *slot = NULL;
    compose_topic(emitter, device_id);
    send_reading(emitter,
                 &(struct emitter_reading){.publisher = publisher,
                                           .device = device,
                                           .device_id = device_id,
                                           .k = kept->k,
                                           .reading = kept->reading,
                                           .expect = kept->expect},
                 false);
    free(kept);
}

void emitter_send(struct emitter *emitter, const struct emitter_reading *what,
                  const struct fault_draw *draw)
{
    struct emitter_kept **slot = slot_of(emitter, what->device);

    if (draw->happens[FAULT_OUT_OF_ORDER] && !*slot) {
        keep(emitter, slot, what);
        emitter->config.report->faults[FAULT_OUT_OF_ORDER]++;
        return;
    }
    compose_topic(emitter, what->device_id);
    send_reading(emitter, what, draw->happens[FAULT_REPEATED]);
    if (draw->happens[FAULT_MALFORMED])
        send_malformed(emitter, what, draw->malformed);
    if (draw->happens[FAULT_WRONG_ID])
        send_wrong_id(emitter, what);
    if (draw->happens[FAULT_OVERSIZED])
        send_oversized(emitter, what);
    emitter_finish(emitter, what->publisher, what->device, what->device_id);
}
