/* The library keeps what is not acknowledged and publishes it again after a reconnect, under the
 * same packet id, so a ticket stays valid until its PUBACK comes, on whichever connection. Not so that
 * of an edge node, which is born again first: its tickets keep the readings. */
#include "devicesim/publishers.h"

#include "shared/base/log.h"
#include "shared/base/mem.h"
#include "shared/base/timestamp.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { CONNECTING_AT_ONCE = 50 };

#define STATUS_ONLINE "online"
#define STATUS_OFFLINE "offline"

/* Reason codes of a PUBACK, MQTT 5.0 section 3.4.2.1. */
enum { NO_MATCHING_SUBSCRIBERS = 0x10, FIRST_ERROR = 0x80 };

static void start_more(struct publishers *publishers);

static int64_t now_us(void)
{
    return (int64_t)(uv_hrtime() / 1000);
}

static size_t index_of(const struct publisher *publisher)
{
    return (size_t)(publisher - publisher->all->items);
}

/* ---- callbacks of the links ----------------------------------------------------------------- */

/* Other numbers of the node's sequence, so other messages; to the record they are the same. */
static void send_again(struct publisher *publisher)
{
    struct publishers *all = publisher->all;
    struct outstanding old = publisher->window;
    struct ticket ticket;

    publisher->window = (struct outstanding){0};
    while (outstanding_pop_first(&old, &ticket)) {
        int mid = 0;

        if (edge_nodes_send(all->config.nodes, index_of(publisher), &publisher->link, ticket.kept,
                            true, &mid)) {
            ticket.packet_id = (uint16_t)mid;
            outstanding_add(&publisher->window, &ticket);
        } else {
            all->config.report->refused++;
            free(ticket.kept);
        }
    }
    outstanding_release(&old);
}

static void greet(struct publisher *publisher)
{
    struct edge_nodes *nodes = publisher->all->config.nodes;
    struct mqtt_link *link = &publisher->link;

    if (nodes) {
        mqtt_link_hold(link);
        edge_nodes_on_up(nodes, index_of(publisher), link);
        send_again(publisher);
        mqtt_link_flush(link);
    } else if (publisher->will_topic) {
        mqtt_link_publish(link, NULL, publisher->will_topic, STATUS_ONLINE, strlen(STATUS_ONLINE),
                          0, true);
    }
    if (publisher->about_topic)
        mqtt_link_publish(link, NULL, publisher->about_topic, publisher->about,
                          strlen(publisher->about), 0, true);
}

static void on_up(struct mqtt_link *link, bool session_present)
{
    struct publisher *publisher = link->config.user;
    struct publishers *all = publisher->all;

    (void)session_present;
    all->up++;
    all->config.report->up = all->up;
    if (publisher->has_connected) {
        all->config.report->reconnects++;
    } else {
        publisher->has_connected = true;
        all->connected++;
        start_more(all);
    }
    greet(publisher);
    all->config.on_room(all->config.user, index_of(publisher));
}

static void on_down(struct mqtt_link *link, const char *reason)
{
    struct publisher *publisher = link->config.user;

    (void)reason;
    publisher->all->up--;
    publisher->all->config.report->up = publisher->all->up;
    if (publisher->all->config.nodes)
        edge_nodes_on_down(publisher->all->config.nodes, index_of(publisher), link);
}

static void on_message(struct mqtt_link *link, const struct mqtt_delivery *delivery)
{
    struct publisher *publisher = link->config.user;

    if (publisher->all->config.nodes)
        edge_nodes_on_message(publisher->all->config.nodes, index_of(publisher), link, delivery);
}

static void on_published(struct mqtt_link *link, int mid, int reason)
{
    struct publisher *publisher = link->config.user;
    struct publishers *all = publisher->all;
    struct report *report = all->config.report;
    struct ticket ticket;
    int64_t now = now_us();

    if (!outstanding_pop(&publisher->window, &ticket, (uint16_t)mid))
        return; /* a status, or a birth */
    free(ticket.kept);
    if (publisher->window.count <= all->config.inflight / 2)
        publisher->is_full = false;
    if (reason >= FIRST_ERROR) {
        report->refused++;
        report->refusal = reason;
    } else {
        report->acked++;
        if (reason == NO_MATCHING_SUBSCRIBERS)
            report->unheard++;
        histogram_add(&report->ack_us, (uint64_t)now - ticket.sent_us);
        if (all->config.qos > 0) /* else it has only been written to a socket */
            truth_acked(all->config.truth, ticket.number, timestamp_now(), reason);
    }
    report->last_us = now;
    all->config.on_room(all->config.user, index_of(publisher));
}

/* ---- starting ------------------------------------------------------------------------------- */

static bool start_one(struct publishers *all, size_t which, char *error, size_t error_bytes)
{
    struct publisher *publisher = &all->items[which];
    struct mqtt_link_config config = all->config.mqtt;
    struct publisher_identity identity = {0};

    all->config.identify(all->config.user, which, &identity);
    publisher->all = all;
    publisher->client_id = identity.client_id;
    publisher->will_topic = identity.will_topic;
    publisher->about_topic = identity.about_topic;
    publisher->about = identity.about;
    publisher->flaps = identity.flaps;
    config.client_id = identity.client_id;
    config.will_topic = identity.will_topic;
    config.will_payload = STATUS_OFFLINE;
    if (all->config.nodes)
        edge_nodes_put_will(all->config.nodes, which, &config);
    config.username = identity.username;
    config.password = identity.password;
    config.user = publisher;
    config.on_up = on_up;
    config.on_down = on_down;
    config.on_message = on_message;
    config.on_published = on_published;
    publisher->has_started =
        mqtt_link_start(&publisher->link, all->loop, &config, error, error_bytes);
    return publisher->has_started;
}

static void start_more(struct publishers *all)
{
    char error[256];

    if (all->on_closed)
        return;
    while (all->started < all->config.count &&
           all->started - all->connected - all->failing < CONNECTING_AT_ONCE) {
        if (!start_one(all, all->started, error, sizeof(error)))
            abort(); /* the URL was legal for the first */
        all->started++;
    }
}

bool publishers_start(struct publishers *all, uv_loop_t *loop,
                      const struct publishers_config *config, char *error, size_t error_bytes)
{
    *all = (struct publishers){.config = *config, .loop = loop};
    all->items = mem_calloc(config->count, sizeof(all->items[0]));
    all->touched = mem_calloc(config->count, sizeof(all->touched[0]));
    config->report->connections = config->count;
    if (!start_one(all, 0, error, error_bytes)) {
        free(all->items[0].client_id);
        free(all->items[0].will_topic);
        free(all->items[0].about_topic);
        free(all->items[0].about);
        free(all->items);
        free(all->touched);
        return false;
    }
    all->started = 1;
    start_more(all);
    return true;
}

/* ---- sending -------------------------------------------------------------------------------- */

uint32_t publishers_room(const struct publishers *all, size_t which)
{
    const struct publisher *publisher = &all->items[which];
    uint32_t out = publisher->window.count;

    if (!publisher->has_started || publisher->is_full || publisher->wants_reload ||
        publisher->link.state != MQTT_LINK_UP)
        return 0;
    return out < all->config.inflight ? all->config.inflight - out : 0;
}

bool publishers_has_room(const struct publishers *all, size_t which)
{
    return publishers_room(all, which) > 0;
}

static bool publish(struct publisher *publisher, const struct message *message,
                    struct ticket *ticket)
{
    const struct publishers_config *config = &publisher->all->config;
    int mid = 0;
    bool is_sent;

    if (config->nodes) {
        ticket->kept = edge_nodes_keep(config->nodes, message->device, message->truth.reading);
        is_sent = edge_nodes_send(config->nodes, index_of(publisher), &publisher->link,
                                  ticket->kept, false, &mid);
    } else {
        is_sent = mqtt_link_publish(&publisher->link, &mid, message->topic, message->truth.payload,
                                    message->truth.bytes, config->qos, false);
    }
    ticket->packet_id = (uint16_t)mid;
    return is_sent;
}

bool publishers_send(struct publishers *all, size_t which, const struct message *message)
{
    struct publisher *publisher = &all->items[which];
    struct report *report = all->config.report;
    struct ticket ticket = {.number = ++all->number, .sent_us = (uint64_t)now_us()};

    truth_sent(all->config.truth, ticket.number, timestamp_now(), &message->truth);
    report->sent++;
    if (report->first_us == 0)
        report->first_us = (int64_t)ticket.sent_us;
    if (!publisher->is_touched) {
        publisher->is_touched = true;
        all->touched[all->touched_count++] = (uint32_t)which;
        mqtt_link_hold(&publisher->link);
    }
    if (!publish(publisher, message, &ticket)) {
        free(ticket.kept);
        report->refused++;
        report->refusal = 0;
        return false;
    }
    outstanding_add(&publisher->window, &ticket);
    publisher->is_full = publisher->window.count >= all->config.inflight;
    return true;
}

void publishers_flush(struct publishers *all)
{
    for (size_t i = 0; i < all->touched_count; i++) {
        struct publisher *publisher = &all->items[all->touched[i]];

        publisher->is_touched = false;
        mqtt_link_flush(&publisher->link);
    }
    all->touched_count = 0;
}

void publishers_cut(struct publishers *all, size_t which)
{
    if (all->items[which].has_started && all->items[which].link.state == MQTT_LINK_UP)
        shutdown(mqtt_link_fd(&all->items[which].link), SHUT_RDWR);
}

void publishers_reload(struct publishers *all)
{
    if (!all->items[0].link.tls) {
        log_info("mqtt: SIGHUP: without TLS there is nothing to read anew");
        return;
    }
    all->wants_reload = true;
    for (size_t i = 0; i < all->started; i++)
        all->items[i].wants_reload = true;
    log_info("mqtt: SIGHUP: certificates are read anew, and all connections made again with them");
}

/* One that is down may be so for its certificates: it waits for nothing. */
static bool may_reload(const struct publisher *publisher)
{
    return publisher->window.count == 0 || publisher->link.state != MQTT_LINK_UP;
}

static void reload_some(struct publishers *all)
{
    bool is_good = true;
    char error[256];

    all->wants_reload = false;
    for (size_t i = 0; i < all->started; i++) {
        struct publisher *publisher = &all->items[i];

        if (publisher->wants_reload && may_reload(publisher)) {
            publisher->wants_reload = false;
            is_good = mqtt_link_reload(&publisher->link, error, sizeof(error)) && is_good;
            all->config.on_room(all->config.user, i);
        }
        all->wants_reload = all->wants_reload || publisher->wants_reload;
    }
    if (!is_good)
        log_error("mqtt: SIGHUP: it goes on with the certificates it has: %s", error);
}

const char *publishers_look(struct publishers *all)
{
    const char *failure = NULL;

    if (all->wants_reload)
        reload_some(all);
    if (all->up == all->config.count)
        return NULL;
    all->failing = 0;
    for (size_t i = 0; i < all->started; i++) {
        const struct publisher *publisher = &all->items[i];

        if (publisher->link.state == MQTT_LINK_UP || !publisher->link.failure[0])
            continue;
        failure = publisher->link.failure;
        if (!publisher->has_connected)
            all->failing++;
    }
    start_more(all);
    return failure;
}

/* ---- the end -------------------------------------------------------------------------------- */

static void on_link_closed(struct mqtt_link *link)
{
    struct publisher *publisher = link->config.user;
    struct publishers *all = publisher->all;

    outstanding_release(&publisher->window);
    free(publisher->client_id);
    free(publisher->will_topic);
    free(publisher->about_topic);
    free(publisher->about);
    if (++all->closed < all->started)
        return;
    free(all->items);
    free(all->touched);
    all->items = NULL;
    all->on_closed(all);
}

void publishers_close(struct publishers *all, void (*on_closed)(struct publishers *))
{
    size_t started = all->started;

    publishers_flush(all);
    all->on_closed = on_closed;
    for (size_t i = 0; i < started; i++) {
        struct publisher *publisher = &all->items[i];

        if (all->config.nodes)
            edge_nodes_leave(all->config.nodes, i, &publisher->link);
        else if (publisher->will_topic && publisher->link.state == MQTT_LINK_UP)
            mqtt_link_publish(&publisher->link, NULL, publisher->will_topic, STATUS_OFFLINE,
                              strlen(STATUS_OFFLINE), 0, true);
        mqtt_link_close(&publisher->link, on_link_closed);
    }
}
