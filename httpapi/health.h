/* health.h: what is wrong, out of what is known: one verdict that every view, event and question shows.
 *
 * Shape    facts in, troubles out, the worst first; each with a code for programs, and for people a title, since
 *          when, what it means for the data and what to do. A trouble that only follows from another is
 *          none of its own: without the broker nobody can say what became of a collector.
 *          Hosts and roles are in no sentence: who may see the page need not know them. /readyz and the log say
 *          those, and so does no other text from outside get in here, but for collectors' ids.
 * Units    microseconds since 1970; 0 = not known.
 * Errors   none; what does not fit its text is cut.
 * Owner    plain values; what the facts point to is the caller's.
 */
#ifndef HIGHWATER_HEALTH_H
#define HIGHWATER_HEALTH_H

#include "httpapi/collector_status.h"
#include "httpapi/weighing.h"
#include "shared/base/buffer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    HEALTH_GRACE_US = 3000000, /* for collectors to be heard, once the broker is there */
    HEALTH_STORING_US = 5000000,
    HEALTH_BEHIND_US = 30000000,
    HEALTH_TROUBLES_MAX = 8,
    HEALTH_TITLE_SIZE = 80,
    HEALTH_TEXT_SIZE = 480
};

enum health_level {
    HEALTH_OK,
    HEALTH_WARNING, /* all that is shown is true and whole, and something needs a look */
    HEALTH_BROKEN   /* readings are not stored, or not shown */
};

/* One that the database knows, or, until it has said which those are, any. */
struct health_collector {
    const char *id;
    enum collector_state state; /* as it said last */
    enum collector_lack lacks;
    bool is_there;    /* it has said something lately, and not that it ends */
    int64_t since_us; /* when it came into that state; while it is silent: when it spoke last */
    int64_t uncommitted_us; /* when its oldest reading was received that is not committed */
};

struct health_facts {
    int64_t now_us;
    bool is_broker_up;
    int64_t broker_since_us; /* that it is up, or away */
    bool is_refused;         /* it is up, and refuses something */

    bool is_database_up;       /* connected */
    int64_t database_heard_us; /* when it answered last */
    bool is_database_unfit;    /* it answers and is of no use: tables or rights lack */
    bool is_standby;
    int64_t replayed_us;
    int64_t stored_us; /* when it was last seen that a collector had stored something */

    size_t known;       /* collectors in the database's table */
    bool has_strangers; /* others are heard, and none that it knows */
    size_t count;
    const struct health_collector *collectors;
    enum weighing_verdict verdict;
    int64_t boards_us; /* as of when the last boards are that were whole */
};

struct health_trouble {
    const char *code;
    enum health_level level;
    int64_t since_us;
    char title[HEALTH_TITLE_SIZE];
    char meaning[HEALTH_TEXT_SIZE];
    char action[HEALTH_TEXT_SIZE];
};

struct health {
    enum health_level level; /* of the worst */
    size_t count;
    struct health_trouble troubles[HEALTH_TROUBLES_MAX];
};

void health_judge(struct health *out, const struct health_facts *facts);

/* The database has answered within the time that anything may take. */
bool health_hears_database(const struct health_facts *facts);

const char *health_level_text(enum health_level level);

/* {"level":"broken","worst":{"code",...},"others":[...]}; "worst" is null when all is well. */
void health_write(struct buffer *out, const struct health *health);

#endif
