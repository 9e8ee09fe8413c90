#include "shared/net/http_gzip.h"

#include "shared/base/mem.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <zlib.h>

enum {
    OUT_BYTES = 16 * 1024,
    MANY_BYTES = 64 * 1024,
    LEVEL_FEW = 5,
    LEVEL_MANY = 1,
    GZIP_FRAME = 16, /* added to the bits of the window: zlib's way to ask for it */
    WINDOW_BITS = 15,
    MEMORY = 8,
    /* There may be a thousand of these, and events repeat what is in the ones just before: a fourth of the
     * memory takes a tenth more bytes. */
    WINDOW_BITS_LIVE = 13,
    MEMORY_LIVE = 6
};

struct gzip {
    z_stream stream;
};

static voidpf allocate(voidpf user, uInt count, uInt bytes)
{
    (void)user;
    return mem_calloc(count, bytes);
}

static void release(voidpf user, voidpf memory)
{
    (void)user;
    free(memory);
}

static struct gzip *make(int level, int window_bits, int memory)
{
    struct gzip *gzip = mem_calloc(1, sizeof(*gzip));
    int error;

    gzip->stream.zalloc = allocate;
    gzip->stream.zfree = release;
    error = deflateInit2(&gzip->stream, level, Z_DEFLATED, window_bits + GZIP_FRAME, memory,
                         Z_DEFAULT_STRATEGY);
    assert(error == Z_OK); /* it can only lack memory */
    (void)error;
    return gzip;
}

struct gzip *gzip_new(size_t bytes_expected)
{
    bool are_many = bytes_expected == 0 || bytes_expected > MANY_BYTES;

    return make(are_many ? LEVEL_MANY : LEVEL_FEW, WINDOW_BITS, MEMORY);
}

struct gzip *gzip_new_live(void)
{
    return make(LEVEL_FEW, WINDOW_BITS_LIVE, MEMORY_LIVE);
}

void gzip_put(struct gzip *gzip, const void *data, size_t bytes, enum gzip_until until,
              struct buffer *out)
{
    static const int flushes[] = {
        [GZIP_MORE] = Z_NO_FLUSH, [GZIP_FLUSH] = Z_SYNC_FLUSH, [GZIP_LAST] = Z_FINISH};
    z_stream *stream = &gzip->stream;

    stream->next_in = (z_const Bytef *)(uintptr_t)data;
    stream->avail_in = (uInt)bytes;
    do {
        stream->next_out = buffer_reserve(out, OUT_BYTES);
        stream->avail_out = OUT_BYTES;
        deflate(stream, flushes[until]);
        out->bytes += OUT_BYTES - stream->avail_out;
    } while (stream->avail_out == 0);
    assert(stream->avail_in == 0);
}

void gzip_free(struct gzip *gzip)
{
    if (!gzip)
        return;
    deflateEnd(&gzip->stream);
    free(gzip);
}

void gzip_whole(const void *data, size_t bytes, struct buffer *out)
{
    struct gzip *gzip = gzip_new(bytes);

    gzip_put(gzip, data, bytes, GZIP_LAST, out);
    gzip_free(gzip);
}
