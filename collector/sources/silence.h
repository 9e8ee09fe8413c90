/* silence.h: no message has come for long.
 *
 * Why      a broker may grant a subscription and yet pass nothing on, because its access control
 *          forbids reading or the filter fits no topic. Nobody is told; all that shows is silence.
 * Units    microseconds of one clock, passed in. Silence counts from when the connection came up.
 */
#ifndef HIGHWATER_SILENCE_H
#define HIGHWATER_SILENCE_H

#include <stdbool.h>
#include <stdint.h>

struct silence {
    uint64_t messages; /* when it was looked at last */
    int64_t since_us;  /* the last message was seen, or the connection */
    bool was_up;
    bool is_said;
};

enum silence_news { SILENCE_NO_NEWS, SILENCE_BEGAN, SILENCE_ENDED };

/* `after_us` 0 = never. */
enum silence_news silence_look(struct silence *silence, bool is_up, uint64_t messages,
                               int64_t after_us, int64_t now_us);

/* How long it has been silent. */
static inline int64_t silence_age_us(const struct silence *silence, int64_t now_us)
{
    return now_us > silence->since_us ? now_us - silence->since_us : 0;
}

#endif
