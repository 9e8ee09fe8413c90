#include "shared/net/kafka_queue.h"

#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

static const uint64_t one = 1;

static void on_events(void *user, int events)
{
    struct kafka_queue *queue = user;
    uint64_t count;
    ssize_t got = read(queue->event, &count, sizeof(count)); /* also when there is nothing */

    (void)events;
    (void)got;
    queue->on_ready(queue->user);
}

bool kafka_queue_watch(struct kafka_queue *queue, uv_loop_t *loop, rd_kafka_queue_t *of,
                       void (*on_ready)(void *user), void *user)
{
    int event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

    *queue = (struct kafka_queue){.queue = of, .event = event, .on_ready = on_ready, .user = user};
    if (event < 0) {
        rd_kafka_queue_destroy(of);
        queue->queue = NULL;
        return false;
    }
    queue->watch = fd_watch_new(loop, event, on_events, queue);
    fd_watch_want(queue->watch, UV_READABLE);
    rd_kafka_queue_io_event_enable(of, event, &one, sizeof(one));
    kafka_queue_poke(queue); /* what is there already made no event */
    return true;
}

void kafka_queue_poke(struct kafka_queue *queue)
{
    ssize_t put = queue->queue ? write(queue->event, &one, sizeof(one)) : 0;

    (void)put; /* full, it is readable anyway */
}

void kafka_queue_close(struct kafka_queue *queue)
{
    if (!queue->queue)
        return;
    rd_kafka_queue_io_event_enable(queue->queue, -1, NULL, 0);
    rd_kafka_queue_destroy(queue->queue);
    queue->queue = NULL;
    fd_watch_free(queue->watch);
    close(queue->event);
}
