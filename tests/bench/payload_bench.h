/* payload_bench.h: what the fleet of store_bench sends, and the mapping that reads it.
 *
 * Shape    a status of four, and even random numbers with two decimals: temperature up to 200, pressure up to 25.
 */
#ifndef HIGHWATER_PAYLOAD_BENCH_H
#define HIGHWATER_PAYLOAD_BENCH_H

#include "shared/base/random.h"
#include "shared/base/timestamp.h"
#include "tests/bench/sparkplug_bench.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { PAYLOAD_BYTES = 512, TOPIC_BYTES = 64 };

/* What devices send: the contract's payload, the same by a mapping, one of Tasmota's shape, a bare value, and ten
 * metrics of Sparkplug by alias. */
enum payload_kind {
    PAYLOAD_CONTRACT,
    PAYLOAD_FLAT,
    PAYLOAD_NESTED,
    PAYLOAD_TEXT,
    PAYLOAD_SPARKPLUG,
    PAYLOAD_KINDS
};

struct message {
    char topic[TOPIC_BYTES];
    char payload[PAYLOAD_BYTES];
    size_t bytes;
};

/* The rule of the contract's payload, and of the others. */
static const char *const payload_mappings[PAYLOAD_KINDS] = {
    [PAYLOAD_CONTRACT] = "[{\"topic\":\"none/{device}\",\"status\":\"\"}]",
    [PAYLOAD_FLAT] = "[{\"topic\":\"devices/{device}/readings\",\"time\":\"/timestamp\",\"status\":"
                     "\"/status\",\"features\":{\"temperature\":\"/temperature\",\"pressure\":"
                     "\"/pressure\"}}]",
    [PAYLOAD_NESTED] =
        "[{\"topic\":\"devices/{device}/readings\",\"time\":{\"at\":\"/Time\",\"zone\":"
        "\"Europe/Berlin\"},\"features\":{\"temperature\":[\"/AM2301/Temperature\","
        "\"/SI7021/Temperature\"],\"pressure\":\"/ENERGY/Power\"}}]",
    [PAYLOAD_TEXT] = "[{\"topic\":\"devices/{device}/readings\",\"payload\":\"text\",\"features\":"
                     "{\"temperature\":\"\"}}]",
    [PAYLOAD_SPARKPLUG] =
        "[{\"topic\":\"spBv1.0/{group}/{type}/{edge}/"
        "{device}\",\"payload\":\"sparkplug\",\"each\":"
        "\"/metrics/*\",\"time\":\"/timestamp\",\"feature\":{\"name\":\"{/name}\",\"value\":\"/"
        "value\","
        "\"rename\":{\"Oil/Temperature\":\"temperature\",\"Oil/Pressure\":\"pressure\"}}}]",
};

static bool payload_find(enum payload_kind *out, const char *name)
{
    static const char *const names[PAYLOAD_KINDS] = {"contract", "flat", "nested", "text",
                                                     "sparkplug"};

    for (int i = 0; i < PAYLOAD_KINDS; i++) {
        if (strcmp(names[i], name) == 0) {
            *out = (enum payload_kind)i;
            return true;
        }
    }
    return false;
}

static double hundredths(double value)
{
    return round(value * 100) / 100;
}

static void payload_make(struct message *message, enum payload_kind kind, uint32_t device,
                         int64_t at_us, uint64_t *random)
{
    static const char *const statuses[] = {"ON", "OFF", "ACTIVE", "INACTIVE"};
    char when[TIMESTAMP_TEXT_SIZE];
    const char *status = statuses[random_below(random, 4)];
    double pressure = hundredths(random_unit(random) * 25);
    double temperature = hundredths(random_unit(random) * 200);
    char *out = message->payload;
    int bytes = 0;

    timestamp_format(when, at_us);
    snprintf(message->topic, sizeof(message->topic), "devices/device_%" PRIu32 "/readings", device);
    switch (kind) {
    case PAYLOAD_NESTED:
        bytes =
            snprintf(out, PAYLOAD_BYTES,
                     "{\"Time\":\"%.19s\",\"SI7021\":{\"Temperature\":%g,\"Humidity\":48.3},"
                     "\"ENERGY\":{\"TotalStartTime\":\"2025-01-02T10:00:00\",\"Total\":412.118,"
                     "\"Yesterday\":1.207,\"Today\":0.644,\"Period\":3,\"Power\":%g,"
                     "\"ApparentPower\":52,\"ReactivePower\":31,\"Factor\":0.79,\"Voltage\":231,"
                     "\"Current\":0.224},\"TempUnit\":\"C\"}",
                     when, temperature, pressure);
        break;
    case PAYLOAD_TEXT:
        bytes = snprintf(out, PAYLOAD_BYTES, "%g", temperature);
        break;
    case PAYLOAD_SPARKPLUG:
        snprintf(message->topic, sizeof(message->topic), "spBv1.0/G/DDATA/E/device_%" PRIu32,
                 device);
        bytes = sparkplug_bench_data(out, temperature, pressure, at_us);
        break;
    default:
        bytes = snprintf(out, PAYLOAD_BYTES,
                         "{\"deviceId\":\"device_%" PRIu32
                         "\",\"timestamp\":\"%s\",\"status\":\"%s\",\"pressure\":%g,"
                         "\"temperature\":%g}",
                         device, when, status, pressure, temperature);
    }
    message->bytes = (size_t)bytes;
}

#endif
