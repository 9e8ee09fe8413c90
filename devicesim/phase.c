#include "devicesim/phase.h"

void phases_start(struct phases *phases, const struct phase_rules *rules, int64_t now_us)
{
    *phases = (struct phases){.rules = *rules, .start_us = now_us};
}

static bool is_over(const struct phases *phases, int64_t since_us, int64_t now_us)
{
    return phases->rules.duration_us > 0 && now_us - since_us >= phases->rules.duration_us;
}

static bool may_send(const struct phases *phases, const struct phase_facts *facts)
{
    return !phases->rules.waits_for_all || facts->connected == facts->wanted ||
           (facts->connected > 0 && facts->now_us - facts->connected_us > PHASE_STUCK_US);
}

enum phase phases_next(const struct phases *phases, const struct phase_facts *facts)
{
    switch (phases->now) {
    case PHASE_CONNECTING:
        if (may_send(phases, facts))
            return PHASE_SENDING;
        return is_over(phases, phases->start_us, facts->now_us) ? PHASE_DRAINING : phases->now;
    case PHASE_SENDING:
        if (facts->is_done || is_over(phases, phases->sending_us, facts->now_us))
            return PHASE_DRAINING;
        break;
    case PHASE_DRAINING:
        if (facts->is_answered)
            return phases->rules.lingers ? PHASE_LINGERING : PHASE_CLOSING;
        if (facts->now_us - phases->ending_us >= phases->rules.drain_us)
            return PHASE_CLOSING;
        break;
    case PHASE_LINGERING:
        if (facts->now_us - phases->ending_us >= PHASE_LINGER_US)
            return PHASE_CLOSING;
        break;
    case PHASE_CLOSING:
        break;
    }
    return phases->now;
}

void phases_enter(struct phases *phases, enum phase phase, int64_t now_us)
{
    phases->now = phase;
    if (phase == PHASE_SENDING)
        phases->sending_us = now_us;
    else
        phases->ending_us = now_us;
}

double phases_progress(const struct phases *phases, int64_t now_us)
{
    double share;

    if (phases->rules.duration_us <= 0 || phases->sending_us == 0)
        return -1;
    share = (double)(now_us - phases->sending_us) / (double)phases->rules.duration_us;
    return share < 1 ? share : 1;
}
