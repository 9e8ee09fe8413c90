#include "collector/housekeeping.h"

#include "collector/lag.h"
#include "shared/base/log.h"
#include "shared/base/timestamp.h"

#include <inttypes.h>

enum { SECOND_MS = 1000 };

/* received = stored + duplicates + rejected + in flight. */
static void check_accounting(struct housekeeping *h)
{
    const struct ingest_counters *n = &h->config.ingest->counters;
    uint64_t settled = n->stored + n->duplicates + n->rejected;
    uint64_t in_flight = ingest_in_flight(h->config.ingest);
    bool is_wrong = n->received != settled + in_flight;

    if (is_wrong)
        h->accounting_mismatches++;
    if (is_wrong && !h->was_wrong)
        log_error("received %" PRIu64 " is not stored %" PRIu64 " + duplicates %" PRIu64
                  " + rejected %" PRIu64 " + in flight %" PRIu64 "; please report this",
                  n->received, n->stored, n->duplicates, n->rejected, in_flight);
    h->was_wrong = is_wrong;
}

static void watch_clock(struct housekeeping *h)
{
    if (timestamp_now() < board_publisher_as_of_us(h->config.publisher) - SECOND_MS * INT64_C(1000))
        h->config.on_clock_back(h->config.user);
}

static void watch_memory(struct housekeeping *h)
{
    bool is_coarse = windows_is_coarse(h->config.windows);

    if (is_coarse && !h->was_coarse)
        log_warning("windows: values that fall all the time need more than WINDOWS_MEMORY, %" PRIu64
                    " bytes; httpapi asks the database for the boards that may suffer",
                    h->config.windows_memory);
    else if (!is_coarse && h->was_coarse)
        log_info("windows: all boards are exact again");
    h->was_coarse = is_coarse;
}

/* What is not ready is said elsewhere. */
static void watch_store(struct housekeeping *h)
{
    const struct ingest *ingest = h->config.ingest;
    bool is_ready = store_is_ready(h->config.store);
    bool stands_still = is_ready && lag_stands_still(ingest);
    struct buffer reason = {0};

    if (stands_still && !h->stood_still) {
        lag_explain(ingest, &reason);
        log_warning("store: it stands still: %s", buffer_text(&reason));
    } else if (!stands_still && h->stood_still && is_ready) {
        log_info("store: it stores again");
    }
    h->stood_still = stands_still;
    buffer_release(&reason);
}

/* In the database, where there is one. Devices are known once they are loaded. */
static void keep(struct housekeeping *h)
{
    struct store *store = h->config.store;

    if (!store_is_ready(store))
        return;
    store_save_sequences(store, h->config.sequences,
                         ingest_settled_until_us(h->config.ingest, timestamp_now()));
    if (h->config.sequences->is_loaded || !store_has_boards(store))
        store_keep_hearing(store, h->config.hearing);
}

static void on_timer(uv_timer_t *timer)
{
    struct housekeeping *h = timer->data;
    struct ingest *ingest = h->config.ingest;
    struct board_publisher *publisher = h->config.publisher;

    check_accounting(h);
    watch_clock(h);
    source_tick(h->config.source);
    windows_sweep(h->config.windows, board_publisher_as_of_us(publisher),
                  h->config.devices->count / 60 + 64);
    watch_memory(h);
    watch_store(h);
    if (ingest_is_live(ingest) && !lag_stands_still(ingest))
        hearing_tick(h->config.hearing);
    h->config.on_second(h->config.user);
    keep(h);
    h->rate = ingest->counters.received - h->received_before;
    h->received_before = ingest->counters.received;
}

void housekeeping_start(struct housekeeping *h, uv_loop_t *loop,
                        const struct housekeeping_config *config)
{
    *h = (struct housekeeping){.config = *config};
    uv_timer_init(loop, &h->timer);
    h->timer.data = h;
    uv_timer_start(&h->timer, on_timer, SECOND_MS, SECOND_MS);
}

void housekeeping_close(struct housekeeping *h)
{
    uv_close((uv_handle_t *)&h->timer, NULL);
}
