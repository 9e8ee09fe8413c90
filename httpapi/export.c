#include "httpapi/export.h"

#include "httpapi/database_problem.h"
#include "httpapi/file_name.h"
#include "httpapi/pool.h"
#include "httpapi/reply.h"
#include "shared/base/mem.h"
#include "shared/base/timestamp.h"

#include <stdlib.h>
#include <string.h>

struct export
{
    const struct export_kind *kind;
    struct api *api;
    struct server_request *request; /* NULL once the client is gone */
    struct catalog *catalog;
    struct params params;
    uint64_t rows_left; /* of those asked for */
    struct query query;
    struct pool_job job;
    bool is_asking;
    bool is_streaming;
    bool is_last; /* the page at hand is */
    bool has_failed;
    struct buffer text; /* what the client has not taken yet */
    size_t taken;
};

static void free_export(struct export *export)
{
    export->api->csv_streams--;
    buffer_release(&export->text);
    catalog_release(export->catalog);
    free(export);
}

static bool ask_page(struct export *export, enum pool_refusal *refusal);

static ssize_t on_read(void *user, char *out, size_t room)
{
    struct export *export = user;
    size_t left = export->text.bytes - export->taken;
    enum pool_refusal refusal;

    if (left > 0) {
        if (left > room)
            left = room;
        memcpy(out, export->text.data + export->taken, left);
        export->taken += left;
        return (ssize_t)left;
    }
    if (export->has_failed)
        return SERVER_SOURCE_ABORT;
    if (export->is_last)
        return SERVER_SOURCE_END;
    if (!export->is_asking && !ask_page(export, &refusal))
        return SERVER_SOURCE_ABORT;
    return 0; /* woken when the page is there, or failed, be it at once */
}

static void on_stream_closed(void *user)
{
    struct export *export = user;

    export->request = NULL;
    if (!export->is_asking)
        free_export(export);
}

static void on_gone(struct server_request *request)
{
    on_stream_closed(request->user);
}

static void start_stream(struct export *export)
{
    struct reply_headers headers;
    struct server_source source = {.user = export, .read = on_read, .on_closed = on_stream_closed};
    struct buffer disposition = {0};
    char when[TIMESTAMP_TEXT_SIZE];

    reply_headers_init(&headers, export->api, export->kind->content_type, REPLY_NOT_KEPT,
                       REPLY_CSP_DATA);
    if (export->kind->disposition)
        buffer_put_text(&disposition, export->kind->disposition);
    else
        file_name_put_disposition(&disposition, "readings", &export->params);
    reply_header_add(&headers, "Content-Disposition", buffer_text(&disposition));
    timestamp_format(when, export->query.as_of_us);
    reply_header_add(&headers, "X-Data-As-Of", when);
    reply_header_add(&headers, "X-Data-Source", "database");
    export->is_streaming = true;
    server_respond_stream(export->request, 200, headers.items, headers.count, &source,
                          SERVER_STREAM_WHOLE);
    buffer_release(&disposition);
}

static void apply_page(struct export *export)
{
    struct query *query = &export->query;
    uint64_t rows = query->rows;

    buffer_clear(&export->text);
    export->taken = 0;
    if (!export->is_streaming && export->kind->put_head)
        export->kind->put_head(&export->text, &export->params, &export->catalog->features);
    buffer_put(&export->text, query->body.data, query->body.bytes);
    export->params.cursor = query->last;
    export->params.pages_taken++; /* by when the next is asked for */
    memcpy(export->params.after, query->next, sizeof(query->next));
    export->is_last = !query->has_more;
    if (export->rows_left > 0) {
        export->rows_left -= rows < export->rows_left ? rows : export->rows_left;
        export->is_last |= export->rows_left == 0;
    }
}

static void on_result(struct pool_job *job, const PGresult *result)
{
    struct export *export = job->user;

    export->query.kind->write(&export->query, result);
}

static void on_as_of(struct pool_job *job, int64_t as_of_us)
{
    struct export *export = job->user;

    query_set_as_of(&export->query, as_of_us);
    job->sql = buffer_text(&export->query.sql);
}

static void on_done(struct pool_job *job, const struct pg_error *error)
{
    struct export *export = job->user;
    struct server_request *request = export->request;
    struct problem problem;

    export->is_asking = false;
    if (!request) {
        query_release(&export->query);
        free_export(export);
        return;
    }
    if (error) {
        database_problem_of_error(&problem, error);
        export->has_failed = true;
    } else if (!export->query.is_found) {
        problem_set(&problem, 404, "there is no such device: it never sent a reading");
        export->has_failed = true;
    } else {
        apply_page(export);
    }
    query_release(&export->query);
    if (export->is_streaming) {
        server_wake(request);
    } else if (export->has_failed) {
        request->on_gone = NULL;
        reply_problem(export->api, request, &problem, NULL);
        free_export(export);
    } else {
        start_stream(export);
    }
}

static bool ask_page(struct export *export, enum pool_refusal *refusal)
{
    struct api *api = export->api;

    export->params.limit = export->rows_left;
    query_init(&export->query, export->kind->page, &export->params, export->catalog,
               timestamp_now());
    export->job = (struct pool_job){.sql = buffer_text(&export->query.sql),
                                    .param_count = export->query.bound_count,
                                    .params = export->query.bound,
                                    .user = export,
                                    .on_as_of = on_as_of,
                                    .on_result = on_result,
                                    .on_done = on_done};
    export->is_asking = true;
    *refusal = pool_submit(api->pool, &export->job, export->is_streaming);
    if (*refusal == POOL_TAKEN)
        return true;
    export->is_asking = false;
    query_release(&export->query);
    return false;
}

void export_answer(struct api *api, struct server_request *request, const struct params *params,
                   const struct export_kind *kind)
{
    struct export *export;
    struct problem problem;
    enum pool_refusal refusal;

    if (api->csv_streams >= api->max_csv_streams) {
        problem_set_unavailable(&problem, 5, "there are %zu exports under way already",
                                api->csv_streams);
        reply_problem(api, request, &problem, NULL);
        return;
    }
    export = mem_calloc(1, sizeof(*export));
    api->csv_streams++;
    export->kind = kind;
    export->api = api;
    export->request = request;
    export->catalog = catalog_hold(api->catalog);
    export->params = *params;
    export->rows_left = params->rows;
    request->user = export;
    request->on_gone = on_gone;
    if (!ask_page(export, &refusal)) {
        request->on_gone = NULL;
        database_problem_of_refusal(&problem, refusal);
        reply_problem(api, request, &problem, NULL);
        free_export(export);
    }
}
