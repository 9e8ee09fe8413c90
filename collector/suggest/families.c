#include "collector/suggest/families.h"

#include <stddef.h>
#include <string.h>

static const struct family families[] = {
    {"zigbee2mqtt/bridge/{rest*}", "zigbee2mqtt", "zigbee2mqtt.json", true, false},
    {"zigbee2mqtt/{device}/set", "zigbee2mqtt", "zigbee2mqtt.json", true, false},
    {"zigbee2mqtt/{device}/get", "zigbee2mqtt", "zigbee2mqtt.json", true, false},
    {"zigbee2mqtt/{device}/availability", "zigbee2mqtt", "zigbee2mqtt.json", false, false},
    {"zigbee2mqtt/{device}", "zigbee2mqtt", "zigbee2mqtt.json", false, false},
    {"tele/{device}/SENSOR", "Tasmota", "tasmota.json", false, false},
    {"tele/{device}/STATE", "Tasmota", "tasmota.json", false, false},
    {"tele/{device}/LWT", "Tasmota", "tasmota.json", false, false},
    {"tasmota/discovery/{rest*}", "Tasmota", "tasmota.json", true, false},
    {"homie/{device}/$state", "Homie", "homie.json", false, false},
    {"homie/{device}/{node}/{feature}", "Homie", "homie.json", false, false},
    {"homeassistant/sensor/{entity}/state", "Home Assistant", "home-assistant.json", false, false},
    {"{device}/sensor/{feature}/state", "ESPHome", "esphome.json", false, false},
    {"{device}/binary_sensor/{feature}/state", "ESPHome", "esphome.json", false, false},
    {"{device}/switch/{feature}/state", "ESPHome", "esphome.json", false, false},
    {"{device}/events/rpc", "Shelly", "shelly.json", false, false},
    {"{device}/status/{component}", "Shelly", "shelly.json", false, false},
    {"{device}/online", "Shelly", "shelly.json", false, false},
    {"application/{application}/device/{device}/event/up", "ChirpStack", "chirpstack.json", false,
     false},
    {"v3/{application}/devices/{device}/up", "The Things Stack", "the-things-stack.json", false,
     false},
    {"spBv1.0/STATE/{rest*}", "Sparkplug B", "sparkplug.json", true, false},
    {"spBv1.0/{group}/{type}/{edge}/{device}", "Sparkplug B", "sparkplug.json", false, true},
    {"spBv1.0/{group}/{type}/{edge}", "Sparkplug B", "sparkplug.json", false, true},
    {"devices/{device}/readings", "Highwater's own contract", NULL, false, false},
};

static bool fits(const char *pattern, const char *topic)
{
    for (;;) {
        size_t of_pattern = strcspn(pattern, "/");
        size_t of_topic = strcspn(topic, "/");

        if (*pattern == '{' && of_pattern > 2 && pattern[of_pattern - 2] == '*')
            return *topic != '\0';
        if (*pattern == '{' ? of_topic == 0 || *topic == '$'
                            : of_pattern != of_topic || memcmp(pattern, topic, of_topic) != 0)
            return false;
        pattern += of_pattern;
        topic += of_topic;
        if (!*pattern || !*topic)
            return *pattern == *topic;
        pattern++;
        topic++;
    }
}

const struct family *family_of(const char *topic)
{
    for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
        if (fits(families[i].pattern, topic))
            return &families[i];
    }
    return NULL;
}
