/* kafka_record.h: what a record of Kafka's is as a message.
 *
 * Shape    a record that says its identity was written by a collector: its key is its device. One of the
 *          topic of rejected messages that says a reason we know is a rejected message; else it is looked at
 *          like any other. What others wrote came under the topic of its header, and where that is not
 *          there under the topic of the log and the key, with a slash between them (record.h).
 * Errors   none: anybody may write records. What is not legal in a header counts as not there. An empty
 *          value is a tombstone: false, for there is nothing to be read.
 * Owner    what a message points to is the record's and the reader's, until the next.
 */
#ifndef HIGHWATER_KAFKA_RECORD_H
#define HIGHWATER_KAFKA_RECORD_H

#include "collector/source.h"
#include "shared/base/buffer.h"

#include <librdkafka/rdkafka.h>

struct kafka_record_reader {
    struct buffer topic;
    struct buffer detail;
};

void kafka_record_reader_release(struct kafka_record_reader *reader);

bool kafka_record_read(struct kafka_record_reader *reader, const rd_kafka_message_t *record,
                       const char *topic, bool is_rejected_topic, struct source_message *out);

#endif
