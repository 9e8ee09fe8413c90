#include "collector/sinks/redis_sink.h"

#include "shared/net/prometheus.h"

size_t redis_sink_lacking(const struct redis_sink *r)
{
    size_t count = 0;

    for (size_t i = 0; i <= redis_sink_status_place(r); i++)
        count += r->places[i].is_lacking;
    return count;
}

static bool is_up(const struct redis_sink *r)
{
    return redis_sink_node_of(r, &r->places[0]) != NULL;
}

void redis_sink_put_remarks(const struct sink *sink, struct buffer *out)
{
    const struct redis_sink *r = (const void *)sink;
    size_t count = redis_sink_lacking(r);

    if (!r->is_joined)
        return;
    for (size_t i = 0; i < r->node_count; i++) {
        const struct redis_link *link = &r->nodes[i]->link;

        if (*link->failure)
            buffer_printf(out, "Redis is away: %s: %s\n", link->config.host, link->failure);
    }
    if (is_up(r) && count > 0 && *r->refusal)
        buffer_printf(out, "Redis does not take %zu of %zu boards and statuses: %s\n", count,
                      redis_sink_status_place(r) + 1, r->refusal);
}

void redis_sink_put_metrics(const struct sink *sink, const struct prometheus *to)
{
    const struct redis_sink *r = (const void *)sink;
    uint64_t connects = 0;

    for (size_t i = 0; i < r->node_count; i++)
        connects += r->nodes[i]->link.connects;

    const struct prometheus_sample samples[] = {
        {"highwater_redis_up", "gauge", "1 while Redis is connected.", is_up(r)},
        {"highwater_redis_lacking", "gauge",
         "Boards, and the status, that Redis lacks or has refused; they are put again each second.",
         (double)redis_sink_lacking(r)},
        {"highwater_redis_connects_total", "counter", "Connections to Redis that came up.",
         (double)connects},
        {"highwater_redis_puts_total", "counter", "Boards and statuses that Redis has taken.",
         (double)r->stored},
        {"highwater_redis_renewals_total", "counter",
         "Boards that Redis had already, whose expiry began again.", (double)r->renewed},
        {"highwater_redis_replaced_total", "counter",
         "Boards and statuses that a newer one replaced before Redis had answered the last.",
         (double)r->replaced},
        {"highwater_redis_older_total", "counter",
         "Boards and statuses that Redis did not take because it had newer ones.",
         (double)r->older},
        {"highwater_redis_refused_total", "counter",
         "Boards and statuses that Redis answered with an error.", (double)r->refused},
    };

    PROMETHEUS_WRITE(to, samples);
}
