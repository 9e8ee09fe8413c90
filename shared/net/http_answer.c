#include "shared/net/http_answer.h"

#include "shared/base/mem.h"
#include "shared/net/accept.h"
#include "shared/net/http_gzip.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct {
    int status;
    const char *phrase;
} phrases[] = {
    {200, "OK"},
    {204, "No Content"},
    {304, "Not Modified"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {410, "Gone"},
    {414, "URI Too Long"},
    {421, "Misdirected Request"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {503, "Service Unavailable"},
    {505, "HTTP Version Not Supported"},
};

const char *http_phrase(int status)
{
    for (size_t i = 0; i < sizeof(phrases) / sizeof(phrases[0]); i++) {
        if (phrases[i].status == status)
            return phrases[i].phrase;
    }
    return "Error";
}

/* ---- entity tags ---------------------------------------------------------------------------- */

/* Eight bytes at a time, since every change of a board is hashed. A client that could forge a collision
 * would only fool a cache about the content it was given by us. */
static uint64_t content_hash(const unsigned char *data, size_t bytes)
{
    const uint64_t odd = UINT64_C(0x9e3779b97f4a7c15);
    uint64_t hash = bytes * odd + 1;

    while (bytes > 0) {
        uint64_t word = 0;
        size_t taken = bytes < 8 ? bytes : 8;

        memcpy(&word, data, taken);
        hash = (hash ^ word) * odd;
        hash ^= hash >> 29;
        data += taken;
        bytes -= taken;
    }
    hash *= odd;
    return hash ^ (hash >> 32);
}

bool http_etag_listed(const char *list, const char *etag)
{
    size_t bytes = strlen(etag);

    if (bytes == 0)
        return false;
    for (;;) {
        const char *end;

        list += strspn(list, ", \t");
        if (*list == '*')
            return true;
        if (strncmp(list, "W/", 2) == 0)
            list += 2;
        if (*list != '"')
            return false; /* its end, or no tag */
        end = strchr(list + 1, '"');
        if (!end)
            return false;
        if ((size_t)(end + 1 - list) == bytes && memcmp(list, etag, bytes) == 0)
            return true;
        list = end + 1;
    }
}

/* ---- heads ---------------------------------------------------------------------------------- */

static void put_header(struct buffer *out, const char *name, const char *value)
{
    assert(!value[strcspn(value, "\r\n")]); /* no value from outside is put there */
    buffer_put_text(out, name);
    buffer_put_text(out, ": ");
    buffer_put_text(out, value);
    buffer_put_text(out, "\r\n");
}

static void put_status(struct buffer *out, int status)
{
    buffer_printf(out, "HTTP/1.1 %d %s\r\n", status, http_phrase(status));
}

static void put_form(const struct server_answer *answer, struct answer_form *form, bool is_gzip)
{
    struct buffer *head = &form->head;

    put_status(head, answer->status);
    buffer_put(head, answer->common.data, answer->common.bytes);
    buffer_put(head, answer->content.data, answer->content.bytes);
    if (form->etag[0])
        put_header(head, "ETag", form->etag);
    if (is_gzip)
        put_header(head, "Content-Encoding", "gzip");
    if (answer->status != 204)
        buffer_printf(head, "Content-Length: %zu\r\n", form->bytes);
    if (!form->etag[0] || answer->status != 200)
        return;
    put_status(&form->not_modified, 304);
    buffer_put(&form->not_modified, answer->common.data, answer->common.bytes);
    put_header(&form->not_modified, "ETag", form->etag);
}

/* What the form of an answer hangs on: its type and its compression. */
static const char vary[] = "Accept, Accept-Encoding";

static struct server_answer *new_answer(int status, const struct server_header *headers,
                                        size_t header_count, const void *body, size_t bytes,
                                        unsigned flags)
{
    struct server_answer *answer = mem_calloc(1, sizeof(*answer));

    answer->holds = 1;
    answer->status = status;
    answer->has_etag = flags & SERVER_ANSWER_ETAG;
    answer->may_compress = flags & SERVER_ANSWER_GZIP;
    for (size_t i = 0; i < header_count; i++)
        put_header(strncasecmp(headers[i].name, "Content-", 8) == 0 &&
                           strcasecmp(headers[i].name, "Content-Security-Policy") != 0
                       ? &answer->content
                       : &answer->common,
                   headers[i].name, headers[i].value);
    if (answer->may_compress)
        put_header(&answer->common, "Vary", vary);
    answer->plain.body = body;
    answer->plain.bytes = bytes;
    if (answer->has_etag)
        snprintf(answer->plain.etag, ANSWER_ETAG_SIZE, "\"%016llx\"",
                 (unsigned long long)content_hash(body, bytes));
    put_form(answer, &answer->plain, false);
    return answer;
}

struct server_answer *server_answer_new(int status, const struct server_header *headers,
                                        size_t header_count, struct buffer *body, unsigned flags)
{
    struct server_answer *answer =
        new_answer(status, headers, header_count,
                   body->bytes > 0 ? body->data : (const unsigned char *)"", body->bytes, flags);

    answer->plain_memory = body->data;
    *body = (struct buffer){0};
    return answer;
}

struct server_answer *server_answer_static(int status, const struct server_header *headers,
                                           size_t header_count, const void *body, size_t bytes,
                                           unsigned flags)
{
    return new_answer(status, headers, header_count, body, bytes, flags);
}

struct server_answer *server_answer_keep(struct server_answer *answer)
{
    answer->holds++;
    return answer;
}

void server_answer_release(struct server_answer *answer)
{
    if (!answer || --answer->holds > 0)
        return;
    buffer_release(&answer->common);
    buffer_release(&answer->content);
    buffer_release(&answer->plain.head);
    buffer_release(&answer->plain.not_modified);
    buffer_release(&answer->gzip.head);
    buffer_release(&answer->gzip.not_modified);
    buffer_release(&answer->gzip_memory);
    free(answer->plain_memory);
    free(answer);
}

/* ---- which form ----------------------------------------------------------------------------- */

static void make_gzip(struct server_answer *answer)
{
    struct answer_form *gzip = &answer->gzip;

    answer->has_gzip = true;
    gzip_whole(answer->plain.body, answer->plain.bytes, &answer->gzip_memory);
    if (answer->gzip_memory.bytes >= answer->plain.bytes) {
        buffer_release(&answer->gzip_memory);
        return;
    }
    gzip->body = answer->gzip_memory.data;
    gzip->bytes = answer->gzip_memory.bytes;
    if (answer->has_etag) /* another form is another tag (RFC 9110, 8.8.3.3) */
        snprintf(gzip->etag, ANSWER_ETAG_SIZE, "%.17s-gz\"", answer->plain.etag);
    put_form(answer, gzip, true);
}

struct answer_choice server_answer_choose(struct server_answer *answer, const char *accept_encoding,
                                          const char *if_none_match)
{
    const struct answer_form *form = &answer->plain;
    const struct answer_form *known = NULL;

    if (answer->may_compress && answer->plain.bytes >= ANSWER_GZIP_MIN_BYTES &&
        accept_takes_gzip(accept_encoding)) {
        if (!answer->has_gzip)
            make_gzip(answer);
        if (answer->gzip.body)
            form = &answer->gzip;
    }
    if (if_none_match && answer->has_etag && answer->status == 200) {
        if (http_etag_listed(if_none_match, form->etag))
            known = form;
        else if (http_etag_listed(if_none_match, answer->plain.etag))
            known = &answer->plain; /* the same content, as the client has it */
    }
    if (known)
        return (struct answer_choice){.status = 304, .head = &known->not_modified};
    return (struct answer_choice){answer->status, &form->head, form->body, form->bytes};
}

void server_stream_head(struct buffer *out, int status, const struct server_header *headers,
                        size_t header_count, bool is_gzip)
{
    put_status(out, status);
    for (size_t i = 0; i < header_count; i++)
        put_header(out, headers[i].name, headers[i].value);
    put_header(out, "Vary", vary);
    if (is_gzip)
        put_header(out, "Content-Encoding", "gzip");
}
