#include "collector/sources/silence.h"

enum silence_news silence_look(struct silence *silence, bool is_up, uint64_t messages,
                               int64_t after_us, int64_t now_us)
{
    bool is_heard = messages != silence->messages;
    bool is_new = is_up && !silence->was_up;

    silence->was_up = is_up;
    silence->messages = messages;
    if (is_heard || is_new || silence->since_us == 0 || silence->since_us > now_us)
        silence->since_us = now_us;
    if (is_heard && silence->is_said) {
        silence->is_said = false;
        return SILENCE_ENDED;
    }
    if (!is_up || silence->is_said || after_us == 0 || now_us - silence->since_us < after_us)
        return SILENCE_NO_NEWS;
    silence->is_said = true;
    return SILENCE_BEGAN;
}
