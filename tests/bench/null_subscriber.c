/* null_subscriber: how fast libmosquitto alone receives, to compare the collector with.
 *
 * It subscribes, receives every message and does nothing with it: an ordinary client of this library, as
 * fast as one can be that keeps to its interface.
 *
 *   ack     acknowledges at once, as the library does by itself
 *   gated   holds the acknowledgements: --batch messages (or what came in --linger-ms), then a pause
 *           of --pause-ms in place of the commit, in which nothing is read, then all of them
 *           together; the collector's cycle without the collector
 *
 * Both read until the socket is dry, which is the fastest way to use the library. `gated` corks the
 * socket around the acknowledgements (--no-cork: one segment each). --no-wake leaves out the byte
 * that the library writes to its own pair of sockets with every packet.
 *
 * It says "ready" when it is subscribed. Measured are --seconds from --warmup seconds after the
 * first message on: then it prints one JSON object and ends. --latency also reads the timestamp in
 * each payload and adds the percentiles of arrival - timestamp; --count ends after so many messages
 * instead.
 */
#include "shared/base/timestamp.h"

#include <mosquitto.h>
#include <mqtt_protocol.h>

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

enum { LATENCIES_MAX = 8 * 1000 * 1000, SETTLE_MS = 200 };

struct settings {
    const char *topic;
    int port;
    bool is_gated;
    bool corks;
    bool wakes;
    bool wants_latency;
    size_t batch;
    long pause_ms;
    long linger_ms;
    double warmup_s;
    double seconds;
    size_t count; /* 0 = by time */
};

struct subscriber {
    struct settings settings;
    struct mosquitto *mosq;
    bool read_something;
    bool is_subscribed;
    size_t messages;
    size_t held;
    size_t batches;
    double batch_since; /* its first message */
    double first_at;    /* of all messages */
    double measured_from;
    double ends_at;
    size_t messages_before;
    double cpu_before;
    uint32_t *latencies;
    size_t latency_count;
};

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "null_subscriber: %s: %s\n", what, why);
    exit(1);
}

static void check(const char *what, int rc)
{
    if (rc != MOSQ_ERR_SUCCESS)
        fail(what, rc == MOSQ_ERR_ERRNO ? strerror(errno) : mosquitto_strerror(rc));
}

static double now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double cpu_s(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static long peak_rss_kb(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

/* ---- callbacks ------------------------------------------------------------------------------ */

static void note_latency(struct subscriber *sub, const struct mosquitto_message *message)
{
    static const char member[] = "\"timestamp\":\"";
    const char *found = strstr(message->payload, member); /* the library ends it with a NUL */
    char text[TIMESTAMP_TEXT_SIZE] = "";
    int64_t sent_us, late_us;
    size_t left;

    if (!found)
        return;
    found += sizeof(member) - 1;
    left = (size_t)((const char *)message->payload + message->payloadlen - found);
    memcpy(text, found, left < sizeof(text) - 1 ? left : sizeof(text) - 1);
    text[strcspn(text, "\"")] = '\0';
    if (!timestamp_parse(&sent_us, text) || sub->latency_count == LATENCIES_MAX)
        return;
    late_us = timestamp_now() - sent_us;
    sub->latencies[sub->latency_count++] = late_us > 0 ? (uint32_t)late_us : 0;
}

static void on_message(struct mosquitto *mosq, void *user, const struct mosquitto_message *message)
{
    struct subscriber *sub = user;

    (void)mosq;
    sub->read_something = true;
    if (sub->held++ == 0)
        sub->batch_since = now_s();
    if (sub->messages++ == 0)
        sub->first_at = now_s();
    if (sub->settings.wants_latency && sub->measured_from > 0)
        note_latency(sub, message);
}

static void on_connect(struct mosquitto *mosq, void *user, int rc)
{
    struct subscriber *sub = user;

    sub->read_something = true;
    check("connect", rc);
    check("subscribe", mosquitto_subscribe(mosq, NULL, sub->settings.topic, 1));
}

static void on_subscribe(struct mosquitto *mosq, void *user, int mid, int count, const int *granted)
{
    struct subscriber *sub = user;

    (void)mosq;
    (void)mid;
    (void)count;
    (void)granted;
    sub->read_something = true;
    sub->is_subscribed = true;
    puts("ready");
    fflush(stdout);
}

static void on_disconnect(struct mosquitto *mosq, void *user, int rc)
{
    (void)mosq;
    (void)user;
    if (rc != 0)
        fail("disconnected", rc == MOSQ_ERR_ERRNO ? strerror(errno) : mosquitto_strerror(rc));
}

/* ---- the cycle ------------------------------------------------------------------------------ */

static void set_cork(const struct subscriber *sub, int on)
{
    if (sub->settings.corks)
        setsockopt(mosquitto_socket(sub->mosq), IPPROTO_TCP, TCP_CORK, &on, sizeof(on));
}

static void write_queued(struct subscriber *sub)
{
    while (mosquitto_want_write(sub->mosq)) {
        struct pollfd writable = {.fd = mosquitto_socket(sub->mosq), .events = POLLOUT};

        check("write", mosquitto_loop_write(sub->mosq, 1));
        if (mosquitto_want_write(sub->mosq))
            poll(&writable, 1, 100);
    }
}

static bool is_batch_due(const struct subscriber *sub)
{
    return sub->held >= sub->settings.batch ||
           (sub->held > 0 && now_s() - sub->batch_since >= (double)sub->settings.linger_ms / 1e3);
}

static void settle_batch(struct subscriber *sub)
{
    struct timespec pause = {.tv_nsec = sub->settings.pause_ms * 1000000};

    nanosleep(&pause, NULL);
    set_cork(sub, 1);
    write_queued(sub);
    set_cork(sub, 0);
    sub->held = 0;
    sub->batches++;
}

static void read_available(struct subscriber *sub)
{
    do {
        sub->read_something = false;
        check("read", mosquitto_loop_read(sub->mosq, 1));
        /* whatever is queued, but for the acknowledgements of a gate */
        if (!sub->settings.is_gated || sub->held == 0)
            write_queued(sub);
    } while (sub->read_something && (!sub->settings.is_gated || sub->held < sub->settings.batch));
}

/* False when all is measured. */
static bool keep_time(struct subscriber *sub)
{
    double now = now_s();

    if (sub->messages == 0)
        return true;
    if (sub->measured_from == 0 && now >= sub->first_at + sub->settings.warmup_s) {
        sub->measured_from = now;
        sub->ends_at = now + sub->settings.seconds;
        sub->messages_before = sub->messages;
        sub->cpu_before = cpu_s();
    }
    if (sub->settings.count > 0)
        return sub->messages < sub->settings.count;
    return sub->measured_from == 0 || now < sub->ends_at;
}

static void run(struct subscriber *sub)
{
    double looked_at = now_s();

    while (keep_time(sub)) {
        struct pollfd readable = {.fd = mosquitto_socket(sub->mosq), .events = POLLIN};
        int wait_ms = sub->settings.is_gated && sub->held > 0 ? 1 : 100;

        if (poll(&readable, 1, wait_ms) > 0)
            read_available(sub);
        if (sub->settings.is_gated && is_batch_due(sub))
            settle_batch(sub);
        if (now_s() > looked_at + 1 && (!sub->settings.is_gated || sub->held == 0)) {
            check("keepalive", mosquitto_loop_misc(sub->mosq));
            looked_at = now_s();
        }
    }
}

/* ---- start and end -------------------------------------------------------------------------- */

/* The library makes a pair of sockets to wake a thread that is not there; it does without when it
 * can have none. */
static struct mosquitto *new_client(struct subscriber *sub)
{
    struct rlimit limit = {0};
    struct rlimit none;
    struct mosquitto *mosq;

    getrlimit(RLIMIT_NOFILE, &limit);
    none = (struct rlimit){.rlim_cur = 0, .rlim_max = limit.rlim_max};
    if (!sub->settings.wakes)
        setrlimit(RLIMIT_NOFILE, &none);
    mosq = mosquitto_new(NULL, true, sub);
    setrlimit(RLIMIT_NOFILE, &limit);
    if (!mosq)
        fail("new", strerror(errno));
    return mosq;
}

static void connect_to_broker(struct subscriber *sub)
{
    mosquitto_lib_init();
    sub->mosq = new_client(sub);
    mosquitto_int_option(sub->mosq, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V5);
    mosquitto_int_option(sub->mosq, MOSQ_OPT_RECEIVE_MAXIMUM, UINT16_MAX);
    mosquitto_int_option(sub->mosq, MOSQ_OPT_TCP_NODELAY, 1);
    if (sub->settings.is_gated)
        mosquitto_threaded_set(sub->mosq, true);
    mosquitto_connect_callback_set(sub->mosq, on_connect);
    mosquitto_subscribe_callback_set(sub->mosq, on_subscribe);
    mosquitto_disconnect_callback_set(sub->mosq, on_disconnect);
    mosquitto_message_callback_set(sub->mosq, on_message);
    check("connect", mosquitto_connect(sub->mosq, "127.0.0.1", sub->settings.port, 60));
    write_queued(sub);
}

static int compare_u32(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

    return (left > right) - (left < right);
}

static double percentile_ms(const struct subscriber *sub, double share)
{
    size_t at = (size_t)((double)sub->latency_count * share);

    if (sub->latency_count == 0)
        return 0;
    return sub->latencies[at < sub->latency_count ? at : sub->latency_count - 1] / 1e3;
}

static void report(struct subscriber *sub)
{
    double seconds = now_s() - sub->measured_from;
    double cpu = cpu_s() - sub->cpu_before;
    size_t messages = sub->messages - sub->messages_before;

    printf("{\"messages\":%zu,\"seconds\":%.4f,\"per_second\":%.1f,\"cpu_us\":%.4f,"
           "\"batches\":%zu,\"peak_rss_kb\":%ld",
           messages, seconds, (double)messages / seconds, cpu * 1e6 / (double)messages,
           sub->batches, peak_rss_kb());
    if (sub->settings.wants_latency) {
        qsort(sub->latencies, sub->latency_count, sizeof(sub->latencies[0]), compare_u32);
        printf(",\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"max_ms\":%.3f", percentile_ms(sub, 0.5),
               percentile_ms(sub, 0.99), percentile_ms(sub, 1));
    }
    puts("}");
}

static const char usage[] =
    "usage: null_subscriber [options]\n"
    "  --port N         of the broker on 127.0.0.1 (18830)\n"
    "  --topic FILTER   (devices/+/readings)\n"
    "  --mode MODE      ack or gated (ack)\n"
    "  --batch N        gated: messages between two releases (5000)\n"
    "  --pause-ms N     gated: in place of the commit (10)\n"
    "  --linger-ms N    gated: age at which a smaller batch is released (10)\n"
    "  --no-cork        gated: a segment for each acknowledgement\n"
    "  --no-wake        no pair of sockets in the library\n"
    "  --warmup S       from the first message on (1)\n"
    "  --seconds S      measured (5)\n"
    "  --count N        instead: until so many messages came in all\n"
    "  --latency        arrival - timestamp in the payload\n";

static bool is_word(const char *text, const char *word)
{
    return text && strcmp(text, word) == 0;
}

static bool parse_settings(struct settings *settings, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *name = argv[i], *value = argv[i + 1];

        if (is_word(name, "--no-cork")) {
            settings->corks = false;
            continue;
        }
        if (is_word(name, "--no-wake")) {
            settings->wakes = false;
            continue;
        }
        if (is_word(name, "--latency")) {
            settings->wants_latency = true;
            continue;
        }
        if (!value)
            return false;
        if (is_word(name, "--port"))
            settings->port = (int)strtol(value, NULL, 10);
        else if (is_word(name, "--topic"))
            settings->topic = value;
        else if (is_word(name, "--mode") && (is_word(value, "ack") || is_word(value, "gated")))
            settings->is_gated = is_word(value, "gated");
        else if (is_word(name, "--batch"))
            settings->batch = strtoul(value, NULL, 10);
        else if (is_word(name, "--pause-ms"))
            settings->pause_ms = strtol(value, NULL, 10);
        else if (is_word(name, "--linger-ms"))
            settings->linger_ms = strtol(value, NULL, 10);
        else if (is_word(name, "--warmup"))
            settings->warmup_s = strtod(value, NULL);
        else if (is_word(name, "--seconds"))
            settings->seconds = strtod(value, NULL);
        else if (is_word(name, "--count"))
            settings->count = strtoul(value, NULL, 10);
        else
            return false;
        i++;
    }
    return true;
}

int main(int argc, char **argv)
{
    struct subscriber sub = {.settings = {.topic = "devices/+/readings",
                                          .port = 18830,
                                          .corks = true,
                                          .wakes = true,
                                          .batch = 5000,
                                          .pause_ms = 10,
                                          .linger_ms = 10,
                                          .warmup_s = 1,
                                          .seconds = 5}};

    if (!parse_settings(&sub.settings, argc, argv)) {
        fputs(usage, stderr);
        return 2;
    }
    if (sub.settings.wants_latency)
        sub.latencies = calloc(LATENCIES_MAX, sizeof(sub.latencies[0]));
    connect_to_broker(&sub);
    run(&sub);
    report(&sub);
    mosquitto_destroy(sub.mosq);
    mosquitto_lib_cleanup();
    free(sub.latencies);
    return 0;
}
