#include "collector/suggest/words.h"

#include <string.h>
#include <strings.h>

#define COUNT(words) (sizeof(words) / sizeof((words)[0]))

static int find(const char *const *words, size_t count, const char *text, size_t bytes)
{
    for (size_t i = 0; i < count; i++) {
        if (strlen(words[i]) == bytes && strncasecmp(words[i], text, bytes) == 0)
            return (int)i;
    }
    return -1;
}

bool word_is_structural(const char *text, size_t bytes)
{
    static const char *const words[] = {"state",        "status",       "set",
                                        "get",          "cmd",          "command",
                                        "cmnd",         "stat",         "tele",
                                        "telemetry",    "up",           "down",
                                        "join",         "ack",          "event",
                                        "events",       "rpc",          "attributes",
                                        "online",       "lwt",          "sensor",
                                        "sensors",      "switch",       "light",
                                        "data",         "value",        "values",
                                        "reading",      "readings",     "config",
                                        "info",         "result",       "error",
                                        "device",       "devices",      "gateway",
                                        "availability", "available",    "binary_sensor",
                                        "bridge",       "message",      "messages",
                                        "measurement",  "measurements", "metrics",
                                        "raw",          "json",         "uplink",
                                        "downlink",     "loop",         "burst",
                                        "last_updated", "last_changed", "health",
                                        "connected",    "announce",     "v1",
                                        "v2",           "v3",           "api",
                                        "mqtt",         "out",          "in"};

    return bytes == 0 || *text == '$' || find(words, COUNT(words), text, bytes) >= 0;
}

/* flow-meter-3 is a device. */
static bool is_numbered(const char *text, size_t bytes)
{
    size_t end = bytes;

    while (end > 0 && text[end - 1] >= '0' && text[end - 1] <= '9')
        end--;
    return end > 0 && end < bytes && text[end - 1] == '-';
}

bool word_is_quantity(const char *text, size_t bytes)
{
    static const char *const parts[] = {
        "temp",  "humid",  "pressur", "power", "energy",  "volt", "current", "batter", "illumin",
        "lux",   "flow",   "speed",   "rssi",  "noise",   "freq", "weight",  "volume", "distance",
        "rain",  "wind",   "moist",   "level", "radiat",  "co2",  "voc",     "pm2",    "pm10",
        "depth", "torque", "vibrat",  "accel", "current", "soil", "consum",  "signal"};
    static const char *const wholes[] = {"t",    "h",   "p",  "hum", "press",
                                         "watt", "kwh", "ph", "snr", "tds"};

    if (find(wholes, COUNT(wholes), text, bytes) >= 0)
        return true;
    if (is_numbered(text, bytes))
        return false;
    for (size_t i = 0; i < COUNT(parts); i++) {
        size_t length = strlen(parts[i]);

        for (size_t at = 0; at + length <= bytes; at++) {
            if (strncasecmp(text + at, parts[i], length) == 0)
                return true;
        }
    }
    return false;
}

int word_rank_time(const char *text, size_t bytes)
{
    static const char *const words[] = {"timestamp",   "time",      "ts",          "tst",
                                        "datetime",    "dateTime",  "time_utc",    "utc",
                                        "t0",          "epoch",     "date",        "t",
                                        "at",          "when",      "measured_at", "recorded_at",
                                        "observed_at", "last_seen", "received_at", "created_at"};

    return find(words, COUNT(words), text, bytes);
}

int word_rank_device(const char *text, size_t bytes)
{
    static const char *const words[] = {"deviceid", "device_id",  "deveui",      "dev_eui",
                                        "device",   "devicename", "device_name", "node",
                                        "serial",   "sn",         "mac",         "imei",
                                        "station",  "sensorid",   "sensor_id"};

    return find(words, COUNT(words), text, bytes);
}

int word_rank_status(const char *text, size_t bytes)
{
    static const char *const words[] = {"status", "state", "power",  "output", "running", "online",
                                        "on",     "relay", "switch", "active", "enabled"};

    return find(words, COUNT(words), text, bytes);
}

int word_rank_seq(const char *text, size_t bytes)
{
    static const char *const words[] = {"seq",
                                        "sequence",
                                        "seqno",
                                        "seq_no",
                                        "fcnt",
                                        "f_cnt",
                                        "msgno",
                                        "msg_no",
                                        "measurementsequencenumber",
                                        "sequence_number"};

    return find(words, COUNT(words), text, bytes);
}

bool word_is_name(const char *text, size_t bytes)
{
    static const char *const words[] = {"name", "tag", "metric", "key", "id", "n", "label"};

    return find(words, COUNT(words), text, bytes) >= 0;
}

bool word_is_value(const char *text, size_t bytes)
{
    static const char *const words[] = {"value", "val", "v"};

    return find(words, COUNT(words), text, bytes) >= 0;
}

bool word_is_identifier(const char *text, size_t bytes)
{
    static const char *const words[] = {
        "id",        "port",        "fport", "f_port", "channel",  "version",   "bver",
        "slave",     "unit",        "fc",    "addr",   "address",  "dr",        "index",
        "type",      "bs",          "lat",   "lon",    "latitude", "longitude", "uplinkid",
        "uplink_id", "data_format", "cog",   "tid",    "m",        "fw"};

    return find(words, COUNT(words), text, bytes) >= 0;
}

const struct word_status *word_status(const char *text, size_t bytes)
{
    static const struct word_status words[] = {
        {"ON", "ON", "OFF", "OFF"},
        {"on", "ON", "off", "OFF"},
        {"On", "ON", "Off", "OFF"},
        {"true", "ON", "false", "OFF"},
        {"True", "ON", "False", "OFF"},
        {"TRUE", "ON", "FALSE", "OFF"},
        {"online", "ACTIVE", "offline", "INACTIVE"},
        {"Online", "ACTIVE", "Offline", "INACTIVE"},
        {"ONLINE", "ACTIVE", "OFFLINE", "INACTIVE"},
        {"active", "ACTIVE", "inactive", "INACTIVE"},
        {"ACTIVE", "ACTIVE", "INACTIVE", "INACTIVE"},
        {"connected", "ACTIVE", "disconnected", "INACTIVE"},
        {"ready", "ACTIVE", "lost", "INACTIVE"},
        {"alive", "ACTIVE", "dead", "INACTIVE"},
        {"up", "ACTIVE", "down", "INACTIVE"},
        {"running", "ON", "stopped", "OFF"},
    };

    for (size_t i = 0; i < COUNT(words); i++) {
        if ((strlen(words[i].word) == bytes && memcmp(words[i].word, text, bytes) == 0) ||
            (strlen(words[i].contrary) == bytes && memcmp(words[i].contrary, text, bytes) == 0))
            return &words[i];
    }
    return NULL;
}
