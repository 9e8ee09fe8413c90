/* subscriptions.h: the topic filters that are subscribed to.
 *
 * Shape    those of SUBSCRIBE, whose messages are the contract's, and those of MAPPINGS. What another one
 *          covers is left out, for a broker may deliver a message once for each filter that it fits.
 * Errors   NULL, or what is wrong.
 * Owner    texts are copies; subscriptions_release() frees them. Zeroed is empty.
 */
#ifndef HIGHWATER_SUBSCRIPTIONS_H
#define HIGHWATER_SUBSCRIPTIONS_H

#include "shared/base/buffer.h"
#include "shared/model/topic.h"

#define SUBSCRIBE_DEFAULT "devices/+/readings"

enum { SUBSCRIPTIONS_MAX = 256, SUBSCRIPTION_BYTES_MAX = 255 };

struct subscriptions {
    char *texts[SUBSCRIPTIONS_MAX];
    bool is_retained[SUBSCRIPTIONS_MAX]; /* what is retained there is wanted, too */
    size_t count;
    struct topic_filter contract[SUBSCRIPTIONS_MAX]; /* of SUBSCRIBE, in its order; all of them */
    size_t contract_count;
    char *contract_text;                  /* they point into it */
    char *about_texts[SUBSCRIPTIONS_MAX]; /* where devices say what they are; none twice */
    struct topic_filter about[SUBSCRIPTIONS_MAX];
    size_t about_count;
    char *
        text; /* all that are subscribed to, for people: with commas between them, and no more than fit a line */
};

#define SUBSCRIPTIONS_LEGAL                                                                        \
    "a topic filter, or several with commas between them, each with exactly one '+', for the "     \
    "device "                                                                                      \
    "id, no '#' and nothing invisible"

/* `list` has filters with commas between them; an empty one adds nothing. */
const char *subscriptions_add_contract(struct subscriptions *subscriptions, const char *list);

/* What devices of these filters say of themselves: where one ends in /readings, the same with /about. Not as
 * a shared one, of which no retained message comes: then each of a group hears all. */
void subscriptions_add_abouts(struct subscriptions *subscriptions);

bool subscriptions_has_about(const struct subscriptions *subscriptions, const char *filter);

/* The filter of that for one of readings, to be freed; NULL when there is none. */
char *subscriptions_about_of(const char *filter);

const char *subscriptions_add(struct subscriptions *subscriptions, const char *filter);

/* The same, where what is retained is wanted: none covers it that does not ask for that. */
const char *subscriptions_add_retained(struct subscriptions *subscriptions, const char *filter);

/* Whether this very filter is one of them. */
bool subscriptions_has(const struct subscriptions *subscriptions, const char *filter);

/* Whether a message with this topic may come because of one of them. */
bool subscriptions_cover(const struct subscriptions *subscriptions, const char *topic);

/* Appends all of them, with `between` between them. */
void subscriptions_join(const struct subscriptions *subscriptions, const char *between,
                        struct buffer *out);

void subscriptions_release(struct subscriptions *subscriptions);

#endif
