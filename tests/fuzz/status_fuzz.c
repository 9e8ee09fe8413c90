/* Any bytes as a status: what is shown of it is JSON in UTF-8 that can be seen, and is understood as
 * the same when it is read again. */
#include "httpapi/collector_status.h"
#include "shared/base/buffer.h"
#include "shared/model/json_scan.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static struct features features;
    static struct intervals intervals;
    char fault[COLLECTOR_STATUS_FAULT_SIZE] = "";
    struct collector_status status;
    struct collector_status again;
    struct json_value value;
    struct buffer json = {0};
    size_t at;

    if (features.count == 0) {
        features_parse(&features, FEATURES_DEFAULT, fault, sizeof(fault));
        intervals_parse(&intervals, INTERVALS_DEFAULT, fault, sizeof(fault));
    }
    if (!collector_status_parse(&status, &features, &intervals, (const char *)data, bytes, fault)) {
        assert(fault[0]);
        return 0;
    }
    buffer_put_text(&json, "{");
    buffer_put_text(&json, status.shown + 1); /* behind its comma */
    buffer_put_text(&json, "}");
    assert(json_scan_document(buffer_text(&json), json.bytes, &at, &value) == JSON_OK);
    assert(collector_status_parse(&again, &features, &intervals, buffer_text(&json), json.bytes,
                                  fault));
    assert(strcmp(again.shown, status.shown) == 0 && again.state == status.state &&
           again.as_of_us == status.as_of_us && again.turn == status.turn);
    collector_status_release(&again);
    collector_status_release(&status);
    buffer_release(&json);
    return 0;
}
