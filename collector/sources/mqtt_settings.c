/* What the settings say of the broker, for all that connect to it. */
#include "collector/settings.h"
#include "shared/net/mqtt_link.h"

struct mqtt_link_config settings_mqtt(const struct settings *s)
{
    return (struct mqtt_link_config){.url = s->mqtt_url,
                                     .keepalive_s = (uint16_t)s->keepalive_s,
                                     .ca_file = s->mqtt_ca_file,
                                     .cert_file = s->mqtt_cert_file,
                                     .key_file = s->mqtt_key_file,
                                     .password_file = s->mqtt_password_file,
                                     .is_v311 = s->is_v311};
}
