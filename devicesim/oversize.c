#include "devicesim/oversize.h"

#include "shared/base/mem.h"
#include "shared/base/timestamp.h"

#include <stdlib.h>
#include <string.h>

static void open_link(struct oversize *oversize);

void oversize_init(struct oversize *oversize, uv_loop_t *loop, const struct mqtt_link_config *mqtt,
                   struct publishers *publishers)
{
    *oversize = (struct oversize){.mqtt = *mqtt, .loop = loop, .publishers = publishers};
    oversize->mqtt.is_v311 = true;
    oversize->mqtt.quiet = true;
    oversize->mqtt.user = oversize;
    oversize->mqtt.will_topic = NULL;
}

bool oversize_is_busy(const struct oversize *oversize)
{
    return oversize->count > 0;
}

/* The first of the queue was acknowledged or refused. */
static void drop_first(struct oversize *oversize)
{
    free(oversize->waiting[0].topic);
    buffer_release(&oversize->waiting[0].payload);
    oversize->count--;
    memmove(&oversize->waiting[0], &oversize->waiting[1],
            oversize->count * sizeof(oversize->waiting[0]));
}

static void on_link_closed(struct mqtt_link *link)
{
    struct oversize *oversize = link->config.user;

    oversize->is_open = false;
    if (oversize->is_closing)
        oversize->on_closed(oversize);
    else if (oversize->count > 0)
        open_link(oversize);
}

static void on_up(struct mqtt_link *link, bool session_present)
{
    struct oversize *oversize = link->config.user;
    struct oversize_item *item = &oversize->waiting[0];

    (void)session_present;
    if (oversize->count == 0)
        return;
    oversize->was_sent = true;
    mqtt_link_publish(link, NULL, item->topic, item->payload.data, item->payload.bytes, 1, false);
}

static void settle(struct oversize *oversize, bool accepted)
{
    struct report *report = oversize->publishers->config.report;

    if (accepted) {
        report->acked++;
        report->oversized_accepted++;
        truth_acked(oversize->publishers->config.truth, oversize->waiting[0].number,
                    timestamp_now(), 0);
    } else {
        report->refused++;
    }
    oversize->was_sent = false;
    drop_first(oversize);
    if (oversize->is_open && !oversize->link.on_closed)
        mqtt_link_close(&oversize->link, on_link_closed);
}

static void on_down(struct mqtt_link *link, const char *reason)
{
    struct oversize *oversize = link->config.user;

    (void)reason;
    if (oversize->was_sent)
        settle(oversize, false);
}

static void on_published(struct mqtt_link *link, int mid, int reason)
{
    struct oversize *oversize = link->config.user;

    (void)mid;
    if (oversize->was_sent)
        settle(oversize, reason < 0x80);
}

static void open_link(struct oversize *oversize)
{
    struct mqtt_link_config config = oversize->mqtt;
    char error[256];

    config.on_up = on_up;
    config.on_down = on_down;
    config.on_published = on_published;
    oversize->is_open =
        mqtt_link_start(&oversize->link, oversize->loop, &config, error, sizeof(error));
}

void oversize_send(struct oversize *oversize, const struct message *message)
{
    struct publishers *publishers = oversize->publishers;
    struct report *report = publishers->config.report;
    struct oversize_item *item = &oversize->waiting[oversize->count];

    report->sent++;
    publishers->number++;
    truth_sent(publishers->config.truth, publishers->number, timestamp_now(), &message->truth);
    if (oversize->count == OVERSIZE_WAITING_MAX) {
        report->refused++;
        return;
    }
    *item =
        (struct oversize_item){.number = publishers->number, .topic = mem_strdup(message->topic)};
    buffer_put(&item->payload, message->truth.payload, message->truth.bytes);
    oversize->count++;
    if (!oversize->is_open)
        open_link(oversize);
}

void oversize_close(struct oversize *oversize, void (*on_closed)(struct oversize *))
{
    oversize->is_closing = true;
    oversize->on_closed = on_closed;
    while (oversize->count > 0) {
        oversize->publishers->config.report->refused++;
        drop_first(oversize);
    }
    if (!oversize->is_open)
        on_closed(oversize);
    else if (!oversize->link.on_closed)
        mqtt_link_close(&oversize->link, on_link_closed);
}
