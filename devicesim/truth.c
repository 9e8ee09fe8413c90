/* One write() for each line is the price of a record that survives kill -9; what the page cache
 * has is safe from that, so there is no fsync. */
#include "devicesim/truth.h"

#include "shared/base/csv_write.h"
#include "shared/base/hex.h"
#include "shared/base/json_write.h"
#include "shared/base/timestamp.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

static const char *const expect_texts[TRUTH_EXPECT_COUNT] = {"stored", "rejected", "either"};

const char *truth_expect_text(enum truth_expect expect)
{
    return expect_texts[expect];
}

bool truth_expect_parse(enum truth_expect *out, const char *text)
{
    for (int expect = 0; expect < TRUTH_EXPECT_COUNT; expect++) {
        if (strcmp(text, expect_texts[expect]) == 0) {
            *out = (enum truth_expect)expect;
            return true;
        }
    }
    return false;
}

static void write_line(struct truth *truth)
{
    const unsigned char *data = truth->line.data;
    size_t left = truth->line.bytes;

    while (left > 0 && !truth->failed) {
        ssize_t written = write(truth->fd, data, left);

        if (written > 0) {
            data += written;
            left -= (size_t)written;
        } else if (errno != EINTR) {
            truth->failed = errno;
        }
    }
    buffer_clear(&truth->line);
}

static bool ends_inside_a_line(int fd)
{
    off_t size = lseek(fd, 0, SEEK_END);
    char last;

    return size > 0 && pread(fd, &last, 1, size - 1) == 1 && last != '\n';
}

bool truth_open(struct truth *truth, const char *path, const struct features *features)
{
    *truth = (struct truth){.fd = -1, .features = features};
    if (!path)
        return true;
    truth->fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (truth->fd < 0)
        return false;
    if (ends_inside_a_line(truth->fd))
        buffer_put_text(&truth->line, "\n");
    buffer_put_text(&truth->line, "event,number,at,expect,kind,device,recorded_at,status");
    for (size_t i = 0; i < features->count; i++)
        buffer_printf(&truth->line, ",%s", features->names[i]);
    buffer_put_text(&truth->line, ",bytes,head\n");
    write_line(truth);
    return true;
}

void truth_close(struct truth *truth)
{
    if (truth->fd >= 0)
        close(truth->fd);
    truth->fd = -1;
    buffer_release(&truth->line);
}

static void put_time(struct buffer *out, int64_t us)
{
    char when[TIMESTAMP_TEXT_SIZE];

    timestamp_format(when, us);
    buffer_put_text(out, when);
}

static void put_reading(struct buffer *out, const struct reading *reading,
                        const struct features *features)
{
    const char *status = reading_status_text((enum reading_status)reading->status);

    put_time(out, reading->recorded_at_us);
    buffer_put_text(out, ",");
    buffer_put_text(out, status ? status : "");
    for (size_t i = 0; i < features->count; i++) {
        buffer_put_text(out, ",");
        if (!isnan(reading->values[i]))
            json_write_double(out, reading->values[i]);
    }
}

static void put_head(struct buffer *out, const struct truth_message *message)
{
    buffer_printf(out, ",%zu,", message->bytes);
    hex_write(out, message->payload,
              message->bytes < TRUTH_HEAD_BYTES ? message->bytes : TRUTH_HEAD_BYTES);
}

void truth_sent(struct truth *truth, uint64_t number, int64_t now_us,
                const struct truth_message *message)
{
    struct buffer *line = &truth->line;

    if (truth->fd < 0)
        return;
    buffer_printf(line, "sent,%" PRIu64 ",", number);
    put_time(line, now_us);
    buffer_printf(line, ",%s,%s,", truth_expect_text(message->expect), message->kind);
    csv_write_text(line, message->device_id);
    buffer_put_text(line, ",");
    if (message->reading) {
        put_reading(line, message->reading, truth->features);
    } else {
        buffer_put_text(line, ",");
        for (size_t i = 0; i < truth->features->count; i++)
            buffer_put_text(line, ",");
    }
    if (message->expect == TRUTH_STORED)
        buffer_put_text(line, ",,");
    else
        put_head(line, message);
    buffer_put_text(line, "\n");
    write_line(truth);
}

void truth_acked(struct truth *truth, uint64_t number, int64_t now_us, int reason)
{
    if (truth->fd < 0)
        return;
    buffer_printf(&truth->line, "acked,%" PRIu64 ",", number);
    put_time(&truth->line, now_us);
    buffer_printf(&truth->line, ",%d\n", reason);
    write_line(truth);
}

void truth_born(struct truth *truth, int64_t now_us, const char *device_id)
{
    if (truth->fd < 0)
        return;
    buffer_put_text(&truth->line, "born,,");
    put_time(&truth->line, now_us);
    buffer_put_text(&truth->line, ",,,");
    csv_write_text(&truth->line, device_id);
    buffer_put_text(&truth->line, "\n");
    write_line(truth);
}
