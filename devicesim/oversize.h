/* oversize.h: messages that are larger than the broker accepts, each on a connection of its own.
 *
 * Why      a broker answers such a message by closing the connection. On a device's own one the
 *          library would send it again after every reconnect, and nothing else would get through.
 *          With MQTT 5 the library knows the limit and refuses beforehand, so these use 3.1.1.
 * Shape    a queue of at most OVERSIZE_WAITING_MAX; one message is out at a time. A message that is
 *          acknowledged all the same (a broker without a limit) counts as accepted.
 * Errors   none: what does not fit the queue, or finds no broker in time, counts as refused.
 * Owner    embedded; oversize_close() says when its memory may go.
 */
#ifndef HIGHWATER_OVERSIZE_H
#define HIGHWATER_OVERSIZE_H

#include "devicesim/publishers.h"
#include "shared/base/buffer.h"
#include "shared/net/mqtt_link.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { OVERSIZE_WAITING_MAX = 8 };

struct oversize_item {
    uint64_t number;
    char *topic;
    struct buffer payload;
};

struct oversize {
    struct mqtt_link_config mqtt;
    uv_loop_t *loop;
    struct publishers *publishers; /* for the numbers and the record */
    struct mqtt_link link;
    bool is_open;
    bool is_closing;
    bool was_sent; /* the first message of the queue, on this connection */
    struct oversize_item waiting[OVERSIZE_WAITING_MAX];
    size_t count;
    void (*on_closed)(struct oversize *oversize);
};

void oversize_init(struct oversize *oversize, uv_loop_t *loop, const struct mqtt_link_config *mqtt,
                   struct publishers *publishers);

void oversize_send(struct oversize *oversize, const struct message *message);

/* True while a message is waiting for its end. */
bool oversize_is_busy(const struct oversize *oversize);

void oversize_close(struct oversize *oversize, void (*on_closed)(struct oversize *));

#endif
