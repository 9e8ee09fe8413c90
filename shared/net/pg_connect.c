/* Looking up a host name blocks, so it is done off the loop and handed over as hostaddr; and the socket
 * may change while a connection is being made, under the same number even, so the watch is replaced at
 * each step. Nothing is set before the look is over: what one client of a pooler sets, others get. */
#include "shared/net/pg_connect.h"

#include "shared/base/log.h"
#include "shared/base/mem.h"
#include "shared/net/pg_password.h"
#include "shared/net/pg_url.h"
#include "shared/net/resolve.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONNECT_TIMEOUT_MS = 10000, CONNECT_ONE_OF_MS = 5000 };

/* A second connection, made in another thread, to see whether it gets our session. */
struct pg_probe {
    uv_work_t work;
    struct pg_link *link; /* NULL: it does not want to know any more */
    char *url;
    char application_name[64];
    struct pg_place place;
    bool keeps_name;
    int backend_pid;
    bool is_shared;
};

static void look(struct pg_link *link);

/* libpq brings libldap, and that GnuTLS, which makes itself ready when a program begins, unless the program
 * has this (gnutls.h, GNUTLS_SKIP_GLOBAL_INIT): nearly a megabyte for what only a service in LDAP would use,
 * and libldap makes it ready itself then. Without effect where the library does not ask. */
int _gnutls_global_init_skip(void); // NOLINT(bugprone-reserved-identifier): GnuTLS has named it

int _gnutls_global_init_skip(void) // NOLINT(bugprone-reserved-identifier): the same
{
    return 1;
}

static void on_timeout(uv_timer_t *timer)
{
    pg_link_down(timer->data, "no answer in time");
}

/* ---- preparing the session ------------------------------------------------------------------ */

static void on_set_result(struct pg_query *query, const PGresult *result)
{
    struct pg_link *link = query->user;
    static char said[256]; /* by any link: it is about the server */
    char warning[sizeof(said)] = "";

    if (!pg_session_is_answer(result))
        return;
    link->is_standby = pg_session_is_standby(result);
    if (pg_session_is_unset(result, link->unfit, sizeof(link->unfit)) || !link->config.warns)
        return;
    pg_session_weakness(result, warning, sizeof(warning));
    if (warning[0] && strcmp(warning, said) != 0)
        log_warning("%s: %s", link->config.name, warning);
    memcpy(said, warning, sizeof(said));
}

static void on_set(struct pg_query *query, const struct pg_error *error)
{
    struct pg_link *link = query->user;

    if (error && error->is_connection)
        return;
    if (error && pg_error_class(error) != PG_ERROR_TRANSIENT)
        snprintf(link->unfit, sizeof(link->unfit), "the session's settings were refused: %s",
                 error->text);
    if (error || link->unfit[0])
        pg_link_down(link, link->unfit[0] ? link->unfit : error->text);
    else
        pg_link_up(link);
}

static void put_settings(struct pg_link *link)
{
    buffer_clear(&link->session_sql);
    pg_session_put_sql(&link->session_sql, &link->config.session);
    link->session_query = (struct pg_query){.sql = buffer_text(&link->session_sql),
                                            .user = link,
                                            .on_result = on_set_result,
                                            .on_done = on_set};
    pg_link_run(link, &link->session_query);
}

/* In a thread of the pool: nothing of the link may be touched. */
static void probe_work(uv_work_t *work)
{
    struct pg_probe *probe = work->data;
    struct pg_params params;
    char *password;
    char reason[256];

    pg_params_fill(&params, probe->url, probe->application_name, probe->keeps_name, &probe->place);
    pg_params_add(&params, "connect_timeout", "3");
    probe->is_shared = pg_password_add(&params, &password, reason, sizeof(reason)) &&
                       pg_session_is_shared(params.names, params.values, probe->backend_pid);
    free(password);
}

static void on_probed(uv_work_t *work, int status)
{
    struct pg_probe *probe = work->data;
    struct pg_link *link = probe->link;
    bool is_shared = status == 0 && probe->is_shared;

    free(probe->url);
    free(probe);
    if (!link)
        return;
    link->probe = NULL;
    link->looks = PG_SESSION_LOOKS;
    if (is_shared)
        pg_link_down(link, pg_session_shared_reason);
    else
        look(link);
}

static void start_probe(struct pg_link *link)
{
    struct pg_probe *probe = mem_calloc(1, sizeof(*probe));

    probe->work.data = probe;
    probe->link = link;
    probe->url = mem_strdup(link->config.url ? link->config.url : "");
    probe->backend_pid = link->backend_pid;
    probe->keeps_name = link->config.keeps_name;
    snprintf(probe->application_name, sizeof(probe->application_name), "%s (probe)",
             link->config.application_name);
    probe->place = link->place;
    link->probe = probe;
    if (uv_queue_work(link->loop, &probe->work, probe_work, on_probed) != 0)
        on_probed(&probe->work, UV_ECANCELED);
}

static void on_look_result(struct pg_query *query, const PGresult *result)
{
    struct pg_link *link = query->user;

    int backend_pid = atoi(PQgetvalue(result, 0, 0));

    if (pg_session_is_unfit(result, link->unfit, sizeof(link->unfit)))
        return;
    if (link->looks > 0 && backend_pid != link->backend_pid)
        snprintf(link->unfit, sizeof(link->unfit), "%s", pg_session_shared_reason);
    link->backend_pid = backend_pid;
    link->is_pooled = pg_session_is_pooled(result, link->conn);
}

static void on_looked(struct pg_query *query, const struct pg_error *error)
{
    struct pg_link *link = query->user;

    if (error && error->is_connection)
        return;
    if (error || link->unfit[0])
        pg_link_down(link, error ? error->text : link->unfit);
    else if (link->is_pooled && link->looks == 0)
        start_probe(link);
    else if (link->is_pooled && --link->looks > 0)
        look(link);
    else
        put_settings(link);
}

static void look(struct pg_link *link)
{
    link->session_query = (struct pg_query){.sql = PG_SESSION_LOOK_SQL,
                                            .user = link,
                                            .on_result = on_look_result,
                                            .on_done = on_looked};
    pg_link_run(link, &link->session_query);
}

static void prepare(struct pg_link *link)
{
    link->looks = 0;
    pg_link_set_state(link, PG_LINK_PREPARING);
    look(link);
}

void pg_connect_forget(struct pg_link *link)
{
    if (link->probe)
        link->probe->link = NULL;
    link->probe = NULL;
}

/* ---- connecting ----------------------------------------------------------------------------- */

/* "... failed: FATAL:  28P01: password ...": libpq gives the SQLSTATE of a connection that is refused in
 * no other way, and the words differ by language. */
void pg_connect_pop_state(struct pg_link *link, char *text)
{
    link->failure_state[0] = '\0';
    if (PQconnectionNeedsPassword(link->conn)) {
        strcpy(link->failure_state, "28P01");
        return;
    }
    for (char *at = text; (at = strstr(at, ":  ")) != NULL; at += 3) {
        char *state = at + 3;

        if (strspn(state, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") != 5 ||
            strncmp(state + 5, ": ", 2) != 0)
            continue;
        memcpy(link->failure_state, state, 5);
        link->failure_state[5] = '\0';
        memmove(state, state + 7, strlen(state + 7) + 1);
        return;
    }
}

void pg_connect_poll(struct pg_link *link)
{
    PostgresPollingStatusType status = PQconnectPoll(link->conn);

    if (status == PGRES_POLLING_FAILED) {
        pg_link_down_as_libpq_says(link);
        return;
    }
    pg_link_watch(link, status == PGRES_POLLING_WRITING ? UV_WRITABLE : UV_READABLE);
    if (status != PGRES_POLLING_OK)
        return;
    PQsetErrorVerbosity(link->conn, PQERRORS_DEFAULT);
    if (PQsetnonblocking(link->conn, 1) != 0)
        pg_link_down_as_libpq_says(link);
    else
        prepare(link);
}

static void on_notice(void *user, const PGresult *result)
{
    struct pg_link *link = user;
    const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *function = PQresultErrorField(result, PG_DIAG_SOURCE_FUNCTION);

    /* The server has no SQLSTATE of its own for it, and its text depends on the language. */
    if (link->running && function && strcmp(function, "SyncRepWaitForLSN") == 0)
        link->running->is_alone = true;
    log_debug("%s: notice: %.*s", link->config.name, text ? (int)strcspn(text, "\n") : 0,
              text ? text : "");
}

static void connect_now(struct pg_link *link)
{
    uint64_t timeout_ms = link->place.is_chosen ? CONNECT_ONE_OF_MS : CONNECT_TIMEOUT_MS;
    struct pg_params params;
    char *password;
    char reason[256];

    pg_params_fill(&params, link->config.url, link->config.application_name,
                   link->config.keeps_name, &link->place);
    link->unfit[0] = link->failure_state[0] = '\0';
    pg_link_set_state(link, PG_LINK_CONNECTING);
    if (!pg_password_add(&params, &password, reason, sizeof(reason))) {
        pg_link_down(link, reason);
        return;
    }
    link->conn = PQconnectStartParams(params.names, params.values, 1);
    free(password);
    if (!link->conn || PQstatus(link->conn) == CONNECTION_BAD) {
        pg_link_down_as_libpq_says(link);
        return;
    }
    PQsetNoticeReceiver(link->conn, on_notice, link);
    PQsetErrorVerbosity(link->conn, PQERRORS_VERBOSE); /* until it is connected */
    if (link->config.give_up_after_ms > 0 && link->config.give_up_after_ms < timeout_ms)
        timeout_ms = link->config.give_up_after_ms;
    uv_timer_start(&link->timer, on_timeout, timeout_ms, 0);
    pg_link_watch(link, UV_WRITABLE);
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *found)
{
    struct pg_link *link = request->data;

    free(request);
    if (link->on_closed) {
        pg_link_down(link, "closing");
    } else if (status < 0) {
        pg_link_down(link, uv_strerror(status));
    } else if (!resolve_pick(found, link->backoff.state, link->place.address,
                             sizeof(link->place.address))) {
        pg_link_down(link, "the name has no address");
    } else {
        connect_now(link);
    }
    uv_freeaddrinfo(found);
}

static bool is_to_look_up(const struct pg_place *place)
{
    return pg_url_is_name(place->host) && !*place->address;
}

/* The reasons of a whole round become one, so that it is told once. */
bool pg_connect_has_next(struct pg_link *link, char *reason, size_t reason_bytes)
{
    size_t used = strlen(link->round_failure);
    bool names_it = strstr(reason, link->place.host) != NULL;

    if (link->round == 1 || link->state == PG_LINK_UP || link->on_closed) {
        link->attempt = 0;
        link->round_failure[0] = '\0';
        return false;
    }
    snprintf(link->round_failure + used, sizeof(link->round_failure) - used, "%s%s%s%s",
             used > 0 ? "; " : "", names_it ? "" : link->place.host, names_it ? "" : ": ", reason);
    link->attempt = (link->attempt + 1) % link->round;
    if (link->attempt > 0)
        return true;
    snprintf(reason, reason_bytes, "%s", link->round_failure);
    link->round_failure[0] = '\0';
    return false;
}

void pg_connect_attempt(struct pg_link *link)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    uv_getaddrinfo_t *request;
    char host[256];
    int error;

    pg_hosts_choose(link->config.url, link->attempt, &link->place);
    if (link->place.is_chosen)
        snprintf(host, sizeof(host), "%s", link->place.host);
    if (link->place.is_chosen ? !is_to_look_up(&link->place)
                              : !pg_url_host(link->config.url, host, sizeof(host))) {
        connect_now(link);
        return;
    }
    pg_link_set_state(link, PG_LINK_RESOLVING);
    request = mem_calloc(1, sizeof(*request));
    request->data = link;
    error = uv_getaddrinfo(link->loop, request, on_resolved, host, NULL, &hints);
    if (error) {
        free(request);
        pg_link_down(link, uv_strerror(error));
    }
}
