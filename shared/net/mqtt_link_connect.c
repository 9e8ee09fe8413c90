/* An attempt: the library's instance, the address, the connection as far as CONNECT, and the words for
 * what goes wrong there. */
#include "shared/net/mqtt_link_inner.h"

#include "shared/base/log.h"
#include "shared/base/mem.h"
#include "shared/base/secret.h"
#include "shared/net/fd_watch.h"
#include "shared/net/resolve.h"

#include <mosquitto.h>
#include <mqtt_protocol.h>

#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

enum { CONNECT_TIMEOUT_MS = 10000 };

/* The CONNECT properties can only be given to the blocking connect call. It keeps them even when it
 * fails, and connecting to "/" as a socket fails at once without leaving the machine; after that
 * the non-blocking call sends them. */
static void set_connect_properties(struct mqtt_link *link)
{
    mosquitto_property *properties = NULL;

    if (link->config.durable && !link->config.is_v311)
        mqtt_link_require_memory(mosquitto_property_add_int32(
            &properties, MQTT_PROP_SESSION_EXPIRY_INTERVAL, UINT32_MAX));
    mqtt_link_require_memory(
        mosquitto_connect_bind_v5(link->mosq, "/", 0, link->config.keepalive_s, NULL, properties));
    mosquitto_property_free_all(&properties);
}

/* The library opens a pair of sockets for each client, to wake a thread that no program here has,
 * and writes a byte into it with every packet. It does without when it gets none; 2.1 has an option
 * for that, before it the one way to refuse is to let no descriptor be opened meanwhile. */
static struct mosquitto *new_without_socketpair(const struct mqtt_link_config *config, void *user)
{
    struct rlimit limit = {0};
    struct rlimit none;
    struct mosquitto *mosq;

    getrlimit(RLIMIT_NOFILE, &limit);
    none = (struct rlimit){.rlim_cur = 0, .rlim_max = limit.rlim_max};
    setrlimit(RLIMIT_NOFILE, &none);
    mosq = mosquitto_new(config->client_id, !config->durable, user);
    setrlimit(RLIMIT_NOFILE, &limit);
    return mosq;
}

void mqtt_link_new_instance(struct mqtt_link *link)
{
    const struct mqtt_link_config *config = &link->config;
    uint16_t inflight = config->inflight ? config->inflight : UINT16_MAX;

    link->mosq = new_without_socketpair(config, link);
    if (!link->mosq) {
        log_error("%s: no memory for a client, or the client id \"%s\" is not legal", config->name,
                  config->client_id ? config->client_id : "");
        abort();
    }
    mosquitto_threaded_set(link->mosq, true);
    mosquitto_int_option(link->mosq, MOSQ_OPT_PROTOCOL_VERSION,
                         config->is_v311 ? MQTT_PROTOCOL_V311 : MQTT_PROTOCOL_V5);
    mosquitto_int_option(link->mosq, MOSQ_OPT_RECEIVE_MAXIMUM, UINT16_MAX);
    mosquitto_int_option(link->mosq, MOSQ_OPT_SEND_MAXIMUM, inflight);
    mosquitto_int_option(link->mosq, MOSQ_OPT_TCP_NODELAY, 1);
    if (link->url.username)
        mqtt_link_require_memory(
            mosquitto_username_pw_set(link->mosq, link->url.username, link->url.password));
    if (link->tls) {
        /* an instance without its context would connect in the clear */
        if (mosquitto_void_option(link->mosq, MOSQ_OPT_SSL_CTX, tls_client_context(link->tls)) !=
                0 ||
            mosquitto_int_option(link->mosq, MOSQ_OPT_SSL_CTX_WITH_DEFAULTS, 0) != 0) {
            fprintf(stderr, "libmosquitto was built without TLS\n");
            abort();
        }
    }
    if (config->will_topic)
        mqtt_link_require_memory(mosquitto_will_set(
            link->mosq, config->will_topic,
            (int)(config->will_bytes ? config->will_bytes : strlen(config->will_payload)),
            config->will_payload, 1, !config->will_passes));
    mqtt_link_listen(link);
    set_connect_properties(link);
}

static void on_keepalive(uv_timer_t *timer)
{
    struct mqtt_link *link = timer->data;
    int rc;

    if (!mqtt_link_is_connected(link))
        return;
    rc = mosquitto_loop_misc(link->mosq);
    if (rc != MOSQ_ERR_SUCCESS)
        mqtt_link_go_down_by(link, rc); /* no-op where on_disconnect has said it */
    mqtt_subscriptions_retry(&link->subscriptions);
    mqtt_link_ask(link);
}

/* The library sends its PINGREQ when this finds it due, and the broker waits for half a keepalive
 * more: a quarter of one is soon enough, and a fleet of thousands is spared a timer every second.
 */
void mqtt_link_heed_keepalive(struct mqtt_link *link)
{
    uint16_t seconds =
        link->terms.keepalive_s > 0 ? link->terms.keepalive_s : link->config.keepalive_s;
    uint64_t every_ms = seconds > 4 ? seconds * UINT64_C(250) : 1000;

    uv_timer_start(&link->keepalive, on_keepalive, every_ms, every_ms);
}

/* False when it failed at once, with why in `error`: the library's, or errno. */
static bool begin_connecting(struct mqtt_link *link, const char *address, int *error)
{
    link->tcp_is_open = false;
    link->terms = mqtt_terms_default();
    if (link->tls)
        tls_client_begin(link->tls);
    *error = mosquitto_connect_bind_async(link->mosq, address, link->url.port,
                                          link->config.keepalive_s, NULL);
    if (*error > 0 || mosquitto_socket(link->mosq) < 0)
        return false;
    mqtt_link_set_state(link, MQTT_LINK_CONNECTING);
    link->epoch++;
    link->watch = fd_watch_new(link->loop, mosquitto_socket(link->mosq), mqtt_link_on_events, link);
    mqtt_link_start_timer(link, CONNECT_TIMEOUT_MS);
    mqtt_link_heed_keepalive(link);
    mqtt_link_rearm(link);
    return true;
}

static void connect_to(struct mqtt_link *link, const char *address)
{
    int error;

    mqtt_link_set_state(link, MQTT_LINK_CONNECTING);
    if (!begin_connecting(link, address, &error))
        mqtt_link_go_down_by(link, error);
}

/* That no program listens at an address is often known at once: then the next one is tried: localhost, too,
 * is two. */
static void connect_to_any(struct mqtt_link *link, const struct addrinfo *found)
{
    char address[INET6_ADDRSTRLEN];
    int error = MOSQ_ERR_NO_CONN;

    for (const struct addrinfo *each = found; each; each = each->ai_next) {
        if (!resolve_pick(found, link->tries, address, sizeof(address)))
            continue;
        free(link->address);
        link->address = mem_strdup(address);
        if (begin_connecting(link, link->address, &error))
            return;
        link->tries++;
    }
    mqtt_link_go_down_by(link, error);
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *found)
{
    struct mqtt_link *link = request->data;

    free(request);
    if (link->state == MQTT_LINK_RESOLVING && !link->wants_up)
        mqtt_link_go_down(link, "left on purpose");
    else if (link->state == MQTT_LINK_RESOLVING && status < 0)
        mqtt_link_go_down(link, uv_strerror(status));
    else if (link->state == MQTT_LINK_RESOLVING)
        connect_to_any(link, found);
    uv_freeaddrinfo(found);
}

/* Read again at each attempt, so that a password can be changed while we run. */
static bool read_password(struct mqtt_link *link)
{
    const char *path = link->config.password_file;
    char reason[sizeof(link->failure)];
    bool is_open;
    char *password;

    if (!path || link->config.username)
        return true;
    password = secret_read_file(path, &is_open, reason, sizeof(reason));
    if (!password) {
        mqtt_link_set_state(link, MQTT_LINK_RESOLVING); /* an attempt, and it fails */
        mqtt_link_go_down(link, reason);
        return false;
    }
    if (is_open && !link->has_said_open)
        log_warning("%s: anybody may read password file %s: chmod 600", link->config.name, path);
    link->has_said_open = is_open;
    mqtt_link_require_memory(mosquitto_username_pw_set(link->mosq, link->url.username, password));
    free(password);
    return true;
}

void mqtt_link_attempt(struct mqtt_link *link)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    uv_getaddrinfo_t *request;
    int error;

    if (!read_password(link))
        return;
    /* The library would look a name up itself, on the loop, and know one address of it; what the
     * certificate is compared with is in our context. */
    if (link->url.port == 0 || resolve_is_numeric(link->url.host)) {
        connect_to(link, link->url.host);
        return;
    }
    mqtt_link_set_state(link, MQTT_LINK_RESOLVING);
    request = mem_calloc(1, sizeof(*request));
    request->data = link;
    error = uv_getaddrinfo(link->loop, request, on_resolved, link->url.host, NULL, &hints);
    if (error) {
        free(request);
        mqtt_link_go_down(link, uv_strerror(error));
    }
}

/* Before the CONNACK the library has few words for what may be wrong. */
const char *mqtt_link_connect_error(const struct mqtt_link *link, int rc)
{
    /* which of the two it is depends on the version */
    if (rc == MOSQ_ERR_PROTOCOL || rc == MOSQ_ERR_MALFORMED_PACKET)
        return link->config.is_v311
                   ? "its answer to CONNECT is not legal; it may not speak MQTT"
                   /* for the library, a client id in the answer to one who has said his is no MQTT
                    */
                   : "its answer to CONNECT is not legal: it has assigned a client id although we "
                     "have one (let it take those that clients say), or does not speak MQTT 5 "
                     "(set MQTT_VERSION=3.1.1), or no MQTT at all";
    if (rc != MOSQ_ERR_CONN_LOST || !link->tcp_is_open)
        return NULL;
    if (link->tls)
        return link->config.is_v311 ? "it ended the connection before it answered CONNECT"
                                    : "it ended the connection before it answered CONNECT; if it "
                                      "speaks MQTT 3.1.1 only, set MQTT_VERSION=3.1.1";
    return link->config.is_v311
               ? "it ended the connection before it answered CONNECT; if it speaks TLS there, the "
                 "URL must begin with mqtts://"
               : "it ended the connection before it answered CONNECT; if it speaks TLS there, the "
                 "URL must begin with mqtts://, and if MQTT 3.1.1 only, set MQTT_VERSION=3.1.1";
}
