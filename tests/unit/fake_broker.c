#include "tests/unit/fake_broker.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

void fake_broker_send(struct fake_broker *broker, const void *bytes, size_t count)
{
    uv_buf_t buffer = uv_buf_init((char *)(uintptr_t)bytes, (unsigned)count);

    /* a few bytes go out at once; should they not, the test fails */
    assert_int_equal(uv_try_write((uv_stream_t *)broker->client, &buffer, 1), (int)count);
}

void fake_broker_publish(struct fake_broker *broker, uint16_t mid)
{
    unsigned char packet[] = {0x32, 8,   0,  1, 't', (unsigned char)(mid >> 8), (unsigned char)mid,
                              0,    'h', 'i'};

    fake_broker_send(broker, packet, sizeof(packet));
}

static void answer_connect(struct fake_broker *broker, const unsigned char *packet, size_t bytes)
{
    static const unsigned char connack[] = {0x20, 3, 1, 0, 0};
    static const unsigned char assigning[] = {0x20, 9, 0, 0, 6, 0x12, 0, 3, 'a', 'b', 'c'};
    size_t at = 12; /* after name, version, flags and keepalive */
    size_t length;

    at += 1 + packet[at]; /* properties */
    length = packet[at + 1];
    assert_in_range(at + 2 + length, 0, bytes);
    assert_in_range(length, 1, sizeof(broker->client_id) - 1);
    memcpy(broker->client_id, packet + at + 2, length);
    broker->client_id[length] = '\0';
    if (broker->assigns)
        fake_broker_send(broker, assigning, sizeof(assigning));
    else
        fake_broker_send(broker, connack, sizeof(connack));
    broker->connects++;
}

static void answer(struct fake_broker *broker, const unsigned char *packet, size_t bytes)
{
    unsigned char suback[] = {0x90, 4, 0, 0, 0, 1};

    assert_in_range(bytes, 2, sizeof(broker->input));
    switch (packet[0] & 0xf0) {
    case 0x10:
        answer_connect(broker, packet, bytes);
        break;
    case 0xa0:
        broker->unsubscribes++;
        break;
    case 0x80:
        broker->subscribes++;
        suback[2] = packet[2];
        suback[3] = packet[3];
        fake_broker_send(broker, suback, sizeof(suback));
        break;
    case 0x40:
        assert_in_range(broker->puback_count, 0, FAKE_BROKER_PUBACKS_MAX - 1);
        broker->pubacks[broker->puback_count++] = (uint16_t)(packet[2] << 8 | packet[3]);
        break;
    case 0xe0:
        broker->disconnects++;
        break;
    default:
        break;
    }
}

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

static void on_alloc(uv_handle_t *handle, size_t wanted, uv_buf_t *buffer)
{
    struct fake_broker *broker = handle->data;

    (void)wanted;
    *buffer = uv_buf_init((char *)broker->input + broker->input_bytes,
                          (unsigned)(sizeof(broker->input) - broker->input_bytes));
}

static void on_input(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer)
{
    struct fake_broker *broker = stream->data;
    size_t at = 0;

    (void)buffer;
    if (count < 0) {
        broker->ends++;
        if (broker->client == (uv_tcp_t *)stream)
            broker->client = NULL;
        uv_close((uv_handle_t *)stream, free_handle);
        return;
    }
    broker->input_bytes += (size_t)count;
    for (;;) {
        const unsigned char *packet = broker->input + at;
        size_t left = broker->input_bytes - at;
        size_t length;
        size_t head = 2;

        if (left < 2)
            break;
        length = packet[1] & 0x7f;
        if (packet[1] & 0x80) {
            if (left < 3)
                break;
            length += (size_t)packet[2] << 7;
            head = 3;
        }
        if (left < head + length)
            break;
        answer(broker, packet, head + length);
        at += head + length;
    }
    memmove(broker->input, broker->input + at, broker->input_bytes - at);
    broker->input_bytes -= at;
}

static void on_connection(uv_stream_t *server, int status)
{
    struct fake_broker *broker = server->data;

    assert_int_equal(status, 0);
    broker->client = calloc(1, sizeof(*broker->client));
    broker->client->data = broker;
    broker->input_bytes = 0;
    uv_tcp_init(server->loop, broker->client);
    uv_accept(server, (uv_stream_t *)broker->client);
    uv_tcp_nodelay(broker->client, 1);
    uv_read_start((uv_stream_t *)broker->client, on_alloc, on_input);
}

unsigned fake_broker_start(struct fake_broker *broker, uv_loop_t *loop)
{
    struct sockaddr_in address;
    int length = sizeof(address);

    uv_tcp_init(loop, &broker->server);
    broker->server.data = broker;
    uv_ip4_addr("127.0.0.1", 0, &address);
    uv_tcp_bind(&broker->server, (const struct sockaddr *)&address, 0);
    assert_int_equal(uv_listen((uv_stream_t *)&broker->server, 8, on_connection), 0);
    uv_tcp_getsockname(&broker->server, (struct sockaddr *)&address, &length);
    return ntohs(address.sin_port);
}

void fake_broker_cut(struct fake_broker *broker)
{
    uv_close((uv_handle_t *)broker->client, free_handle);
    broker->client = NULL;
}

void fake_broker_close(struct fake_broker *broker)
{
    if (broker->client)
        fake_broker_cut(broker);
    uv_close((uv_handle_t *)&broker->server, NULL);
}
