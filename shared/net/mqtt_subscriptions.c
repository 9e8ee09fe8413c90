#include "shared/net/mqtt_subscriptions.h"

#include "shared/base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A connection may end for another reason just then; twice in a row it hardly does. */
enum { STRIKES_MOST = 2 };

void mqtt_subscriptions_release(struct mqtt_subscriptions *subscriptions)
{
    free(subscriptions->items);
    *subscriptions = (struct mqtt_subscriptions){0};
}

void mqtt_subscriptions_begin(struct mqtt_subscriptions *subscriptions)
{
    for (size_t i = 0; i < subscriptions->count; i++) {
        subscriptions->items[i].state = MQTT_SUBSCRIPTION_GRANTED;
        subscriptions->items[i].mid = 0;
    }
}

static struct mqtt_subscription *find_filter(struct mqtt_subscriptions *subscriptions,
                                             const char *filter)
{
    for (size_t i = 0; i < subscriptions->count; i++) {
        if (strcmp(subscriptions->items[i].filter, filter) == 0)
            return &subscriptions->items[i];
    }
    return NULL;
}

struct mqtt_subscription *mqtt_subscriptions_note(struct mqtt_subscriptions *subscriptions,
                                                  const char *filter, int qos, int options,
                                                  bool is_optional)
{
    struct mqtt_subscription *one = find_filter(subscriptions, filter);

    if (strlen(filter) >= MQTT_FILTER_SIZE)
        return NULL;
    if (!one) {
        subscriptions->items =
            mem_grow_zeroed(subscriptions->items, &subscriptions->capacity,
                            subscriptions->count + 1, sizeof(subscriptions->items[0]));
        one = &subscriptions->items[subscriptions->count++];
        *one = (struct mqtt_subscription){.is_optional = is_optional};
        snprintf(one->filter, sizeof(one->filter), "%s", filter);
    }
    one->qos = qos;
    one->options = options;
    one->state = MQTT_SUBSCRIPTION_NOTED;
    return one;
}

static bool awaits_answer(const struct mqtt_subscriptions *subscriptions, bool is_optional)
{
    for (size_t i = 0; i < subscriptions->count; i++) {
        const struct mqtt_subscription *one = &subscriptions->items[i];

        if (one->is_optional == is_optional && one->state == MQTT_SUBSCRIPTION_ASKED)
            return true;
    }
    return false;
}

struct mqtt_subscription *mqtt_subscriptions_next(struct mqtt_subscriptions *subscriptions)
{
    bool may_be_optional =
        subscriptions->strikes < STRIKES_MOST && !awaits_answer(subscriptions, false);
    struct mqtt_subscription *optional = NULL;

    for (size_t i = 0; i < subscriptions->count; i++) {
        struct mqtt_subscription *one = &subscriptions->items[i];

        if (one->state != MQTT_SUBSCRIPTION_NOTED)
            continue;
        if (!one->is_optional)
            return one;
        if (may_be_optional && !optional)
            optional = one;
    }
    return optional;
}

struct mqtt_subscription *mqtt_subscriptions_find(struct mqtt_subscriptions *subscriptions, int mid)
{
    for (size_t i = 0; i < subscriptions->count; i++) {
        struct mqtt_subscription *one = &subscriptions->items[i];

        if (one->state != MQTT_SUBSCRIPTION_ASKED || one->mid != mid)
            continue;
        if (one->is_optional)
            subscriptions->strikes = 0;
        return one;
    }
    return NULL;
}

bool mqtt_subscriptions_end(struct mqtt_subscriptions *subscriptions)
{
    if (awaits_answer(subscriptions, false) || !awaits_answer(subscriptions, true))
        return false;
    return ++subscriptions->strikes == STRIKES_MOST;
}

void mqtt_subscriptions_retry(struct mqtt_subscriptions *subscriptions)
{
    for (size_t i = 0; i < subscriptions->count; i++) {
        struct mqtt_subscription *one = &subscriptions->items[i];

        if (one->state == MQTT_SUBSCRIPTION_REFUSED && !one->is_optional)
            one->state = MQTT_SUBSCRIPTION_NOTED;
    }
}

/* One that is asked for again is refused until the broker says otherwise. */
void mqtt_subscriptions_write_refusals(const struct mqtt_subscriptions *subscriptions,
                                       struct buffer *out)
{
    for (size_t i = 0; i < subscriptions->count; i++) {
        const struct mqtt_subscription *one = &subscriptions->items[i];

        if (one->is_refusal_said && !one->is_optional)
            buffer_printf(out, "the broker refuses the subscription to %s: %s\n", one->filter,
                          one->refusal);
    }
}
