#include "collector/decoder.h"

const char *decoder_outcome_text(enum decoder_outcome outcome)
{
    static const char *const texts[DECODER_OUTCOME_COUNT] = {
        [DECODER_READ] = "read",           [DECODER_IGNORED] = "ignored",
        [DECODER_NOT_MEANT] = "not_meant", [DECODER_SAYS_NONE] = "says_none",
        [DECODER_NO_TOPIC] = "no_topic",
    };

    return texts[outcome];
}
