#include "devicesim/connection_news.h"

#include "shared/base/log.h"

#include <stdio.h>
#include <string.h>

#define QUIET_US INT64_C(5000000) /* between two different reasons why connections fail */

static void note_connected(struct connection_news *news, int64_t now_us)
{
    const struct publishers *publishers = news->publishers;

    if (publishers->connected == news->connected && news->connected_us != 0)
        return;
    news->connected = publishers->connected;
    news->connected_us = now_us;
    if (news->connected < publishers->config.count)
        return;
    live_line_erase(news->line);
    log_info("mqtt: %zu of %zu connections up", publishers->up, publishers->config.count);
}

static void note_failure(struct connection_news *news, int64_t now_us)
{
    const char *failure = publishers_look(news->publishers);

    if (!failure) {
        news->failure[0] = '\0';
        return;
    }
    if (strcmp(failure, news->failure) == 0 || now_us - news->logged_us < QUIET_US)
        return;
    news->logged_us = now_us;
    snprintf(news->failure, sizeof(news->failure), "%s", failure);
    live_line_erase(news->line);
    log_warning("mqtt: %zu of %zu connections up; the others keep trying: %s", news->publishers->up,
                news->publishers->config.count, failure);
}

void connection_news_look(struct connection_news *news, int64_t now_us)
{
    note_connected(news, now_us);
    note_failure(news, now_us);
}

void connection_news_close(struct connection_news *news)
{
    const char *failure = publishers_look(news->publishers);

    if (failure)
        snprintf(news->failure, sizeof(news->failure), "%s", failure);
}
