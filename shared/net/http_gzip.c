#include "shared/net/http_gzip.h"

#include "shared/base/mem.h"

#include <assert.h>
#include <stdlib.h>
#include <zlib.h>

enum {
    OUT_BYTES = 16 * 1024,
    MANY_BYTES = 64 * 1024,
    LEVEL_FEW = 5,
    LEVEL_MANY = 1,
    WINDOW_BITS_GZIP = 15 + 16 /* zlib's way to ask for gzip's frame */
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

struct gzip *gzip_new(size_t bytes_expected)
{
    struct gzip *gzip = mem_calloc(1, sizeof(*gzip));
    bool are_many = bytes_expected == 0 || bytes_expected > MANY_BYTES;
    int error;

    gzip->stream.zalloc = allocate;
    gzip->stream.zfree = release;
    error = deflateInit2(&gzip->stream, are_many ? LEVEL_MANY : LEVEL_FEW, Z_DEFLATED,
                         WINDOW_BITS_GZIP, 8, Z_DEFAULT_STRATEGY);
    assert(error == Z_OK); /* it can only lack memory */
    (void)error;
    return gzip;
}

void gzip_put(struct gzip *gzip, const void *data, size_t bytes, bool is_last, struct buffer *out)
{
    z_stream *stream = &gzip->stream;

    stream->next_in = (z_const Bytef *)(uintptr_t)data;
    stream->avail_in = (uInt)bytes;
    do {
        stream->next_out = buffer_reserve(out, OUT_BYTES);
        stream->avail_out = OUT_BYTES;
        deflate(stream, is_last ? Z_FINISH : Z_NO_FLUSH);
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

    gzip_put(gzip, data, bytes, true, out);
    gzip_free(gzip);
}
