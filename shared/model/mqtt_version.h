/* mqtt_version.h: which MQTT a program is to speak, as its settings say it.
 */
#ifndef HIGHWATER_MQTT_VERSION_H
#define HIGHWATER_MQTT_VERSION_H

#include <stdbool.h>

#define MQTT_VERSION_LEGAL "5 or 3.1.1"
#define MQTT_VERSION_HELP                                                                          \
    "what to speak with the broker: 5, or 3.1.1 for one that knows\nno other; docs/BROKERS.md "    \
    "has "                                                                                         \
    "what is lost with that"

bool mqtt_version_parse(bool *is_v311, const char *text);

#endif
