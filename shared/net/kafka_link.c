#include "shared/net/kafka_link.h"

#include "shared/base/log.h"
#include "shared/base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What every client gets; the caller's table may say otherwise, and the file, too. */
static const struct kafka_property defaults[] = {
    {.name = "client.id", .value = "highwater"},
    {.name = "log.queue", .value = "true"},
    {.name = "reconnect.backoff.ms", .value = "100"},
    {.name = "reconnect.backoff.max.ms", .value = "2000"},
    {.name = "socket.keepalive.enable", .value = "true"},
    {0},
};

/* ---- what it says ----------------------------------------------------------------------------- */

/* Its levels are those of syslog; that a broker cannot be reached is an error there. */
static enum log_level level_of(int level)
{
    if (level <= 4)
        return LOG_LEVEL_WARNING;
    return level <= 6 ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG;
}

static void on_log(const rd_kafka_t *rk, int level, const char *topic, const char *text)
{
    const struct kafka_link *link = rd_kafka_opaque(rk);
    char shown[1024];

    log_line(level_of(level), "%s: librdkafka: %s: %s", link->config.name, topic,
             log_escaped(shown, sizeof(shown), text, strlen(text)));
}

static void on_error(rd_kafka_t *rk, int code, const char *reason, void *opaque)
{
    struct kafka_link *link = opaque;
    rd_kafka_resp_err_t error = (rd_kafka_resp_err_t)code;
    char fatal[KAFKA_LINK_TEXT_SIZE - 64];

    if (error == RD_KAFKA_RESP_ERR__FATAL) {
        error = rd_kafka_fatal_error(rk, fatal, sizeof(fatal));
        snprintf(link->trouble, sizeof(link->trouble), "%s: %s", rd_kafka_err2name(error), fatal);
        link->config.on_fatal(link, error, link->trouble);
        return;
    }
    /* that all brokers are down says less than why the last of them is */
    if (error != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN || !link->trouble[0])
        snprintf(link->trouble, sizeof(link->trouble), "%s: %s", rd_kafka_err2name(error), reason);
    link->config.on_trouble(link, error, link->trouble);
}

/* ---- coming ----------------------------------------------------------------------------------- */

static bool fill(rd_kafka_conf_t *conf, const struct kafka_property *properties, const char *file,
                 char *error, size_t error_bytes)
{
    return kafka_conf_fill(conf, defaults, NULL, error, error_bytes) &&
           kafka_conf_fill(conf, properties, file, error, error_bytes);
}

bool kafka_link_check(const struct kafka_property *properties, const char *file, char *error,
                      size_t error_bytes)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    bool is_good = fill(conf, properties, file, error, error_bytes);

    rd_kafka_conf_destroy(conf);
    return is_good;
}

static void on_ready(void *user)
{
    struct kafka_link *link = user;

    link->config.on_ready(link);
}

static rd_kafka_queue_t *queue_of(rd_kafka_t *rk, rd_kafka_type_t type)
{
    if (type == RD_KAFKA_PRODUCER)
        return rd_kafka_queue_get_main(rk);
    rd_kafka_poll_set_consumer(rk); /* what would come to the main queue comes to the consumer's */
    return rd_kafka_queue_get_consumer(rk);
}

static rd_kafka_conf_t *conf_of(struct kafka_link *link, char *error, size_t error_bytes)
{
    const struct kafka_link_config *config = &link->config;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();

    if (!fill(conf, config->properties, config->file, error, error_bytes) ||
        rd_kafka_conf_set(conf, "bootstrap.servers", config->brokers, error, error_bytes) !=
            RD_KAFKA_CONF_OK) {
        rd_kafka_conf_destroy(conf);
        return NULL;
    }
    rd_kafka_conf_set_opaque(conf, link);
    rd_kafka_conf_set_log_cb(conf, on_log);
    rd_kafka_conf_set_error_cb(conf, on_error);
    if (config->set_up)
        config->set_up(conf);
    return conf;
}

bool kafka_link_start(struct kafka_link *link, uv_loop_t *loop,
                      const struct kafka_link_config *config, char *error, size_t error_bytes)
{
    rd_kafka_conf_t *conf;

    link->config = *config;
    link->loop = loop;
    link->trouble[0] = '\0';
    conf = conf_of(link, error, error_bytes);
    if (!conf)
        return false;
    link->rk = rd_kafka_new(config->type, conf, error, error_bytes);
    if (!link->rk) {
        rd_kafka_conf_destroy(conf);
        return false;
    }
    rd_kafka_set_log_queue(link->rk, NULL);
    if (kafka_queue_watch(&link->queue, loop, queue_of(link->rk, config->type), on_ready, link))
        return true;
    snprintf(error, error_bytes, "no descriptor left for an eventfd");
    kafka_link_drop(link);
    return false;
}

/* ---- going ------------------------------------------------------------------------------------ */

/* A client that is being destroyed: its threads are waited for, and one may be looking up a name. */
struct grave {
    uv_work_t work; /* first */
    struct kafka_link *link;
    rd_kafka_t *rk;
};

static void destroy(uv_work_t *work)
{
    const struct grave *grave = (const struct grave *)work;

    rd_kafka_destroy(grave->rk);
}

static void tell_closed(struct kafka_link *link)
{
    void (*on_closed)(struct kafka_link *) = link->on_closed;

    if (link->ending > 0 || !on_closed)
        return;
    link->on_closed = NULL;
    on_closed(link);
}

static void on_destroyed(uv_work_t *work, int status)
{
    struct grave *grave = (struct grave *)work;
    struct kafka_link *link = grave->link;

    (void)status; /* it is never cancelled */
    free(grave);
    link->ending--;
    tell_closed(link);
}

void kafka_link_drop(struct kafka_link *link)
{
    struct grave *grave;

    if (!link->rk)
        return;
    kafka_queue_close(&link->queue);
    grave = mem_calloc(1, sizeof(*grave));
    grave->link = link;
    grave->rk = link->rk;
    link->rk = NULL;
    link->ending++;
    uv_queue_work(link->loop, &grave->work, destroy, on_destroyed);
}

void kafka_link_abandon(struct kafka_link *link)
{
    kafka_queue_close(&link->queue);
    link->rk = NULL;
}

void kafka_link_close(struct kafka_link *link, void (*on_closed)(struct kafka_link *link))
{
    link->on_closed = on_closed;
    kafka_link_drop(link);
    tell_closed(link); /* from inside, when there was no client */
}
