#include "devicesim/check.h"

#include "devicesim/settings.h"
#include "shared/net/check_broker.h"
#include "shared/net/check_database.h"

/* A reading would be stored, so nothing is published; and a device's own credentials would end its
 * connection, where it has one. */
static void check_broker(struct check *check, const struct settings *settings, uint64_t timeout_ms)
{
    const struct check_broker broker = {.mqtt = {.url = settings->mqtt_url,
                                                 .keepalive_s = (uint16_t)settings->keepalive_s,
                                                 .ca_file = settings->ca_file,
                                                 .cert_file = settings->cert_file,
                                                 .key_file = settings->key_file,
                                                 .password_file = settings->mqtt_password_file,
                                                 .is_v311 = settings->is_v311},
                                        .timeout_ms = timeout_ms};

    if (settings->credentials_file)
        check_say(check, CHECK_WARNING, "broker",
                  "not tried: each device comes with its own name and password, and would end the "
                  "connection that it may have");
    else
        check_broker_run(check, &broker);
}

int check_run(const struct settings *settings)
{
    struct check check = {0};
    uint64_t timeout_ms = (uint64_t)settings->give_up_after_us / 1000;

    check_say(&check, CHECK_OK, "settings", "%llu devices", (unsigned long long)settings->devices);
    check_broker(&check, settings, timeout_ms);
    if (settings->verify_url)
        check_database_run(&check, &(struct check_database){.url = settings->verify_url,
                                                            .application_name = "highwater check",
                                                            .timeout_ms = timeout_ms});
    return check_end(&check);
}
