/* try_mapping FILE TOPIC [NOW] < payload: what `collector --try-mapping FILE --topic TOPIC` is, as a
 * program of its own; without a topic it prints the subscriptions. NOW is the time of arrival. */
#include "collector/decoders/mapping_try.h"
#include "shared/base/timestamp.h"

#include <stdio.h>

int main(int argc, char **argv)
{
    struct mapping_try_config config = {.future_tolerance_us = 60 * TIMESTAMP_US_PER_S,
                                        .now_us = timestamp_now()};

    if (argc < 2 || argc > 4 || !timestamp_parse(&config.earliest_us, "2020-01-01T00:00:00Z") ||
        (argc > 3 && !timestamp_parse(&config.now_us, argv[3]))) {
        fprintf(stderr, "usage: try_mapping FILE [TOPIC [NOW]]\n");
        return 2;
    }
    config.file = argv[1];
    config.topic = argc > 2 ? argv[2] : NULL;
    return mapping_try_run(&config);
}
