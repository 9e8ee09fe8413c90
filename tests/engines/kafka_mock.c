/* kafka_mock.c [BROKERS]: a cluster that librdkafka plays, for tests that need no Java.
 *
 * It is there within milliseconds, keeps everything in memory, and forgets it at its end, which comes with the
 * end of its standard input: so it outlives no test. The first line of its output is the bootstrap list. From
 * then on it reads commands, one a line, and answers each with "ok" when it has been carried out, or with
 * what was wrong:
 *
 *   topic NAME PARTITIONS       makes a topic; another is made on first use, with four
 *   down N, up N                broker N leaves, and closes its connections; or comes back
 *   rtt N MS                    broker N answers so much later
 *   error API CODE TIMES        the next so many requests of that kind are refused with that code
 *   forgive API                 no more of them are
 *   coordinator GROUP N         another broker coordinates the group
 *   leader TOPIC PARTITION N    another broker leads the partition; -1: none
 *
 * APIs and codes are the protocol's numbers. */
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_WORDS 4

struct order {
    const char *text; /* of a topic or a group */
    long numbers[3];
};

/* What a command takes, by a letter each: t is a text, n a number. */
struct command {
    const char *name;
    const char *takes;
    rd_kafka_resp_err_t (*run)(rd_kafka_mock_cluster_t *cluster, const struct order *order);
};

static rd_kafka_resp_err_t make_topic(rd_kafka_mock_cluster_t *cluster, const struct order *order)
{
    return rd_kafka_mock_topic_create(cluster, order->text, (int)order->numbers[0], 1);
}

static rd_kafka_resp_err_t take_down(rd_kafka_mock_cluster_t *cluster, const struct order *order)
{
    return rd_kafka_mock_broker_set_down(cluster, (int32_t)order->numbers[0]);
}

static rd_kafka_resp_err_t bring_up(rd_kafka_mock_cluster_t *cluster, const struct order *order)
{
    return rd_kafka_mock_broker_set_up(cluster, (int32_t)order->numbers[0]);
}

static rd_kafka_resp_err_t slow_down(rd_kafka_mock_cluster_t *cluster, const struct order *order)
{
    return rd_kafka_mock_broker_set_rtt(cluster, (int32_t)order->numbers[0],
                                        (int)order->numbers[1]);
}

static rd_kafka_resp_err_t refuse(rd_kafka_mock_cluster_t *cluster, const struct order *order)
{
    for (long n = 0; n < order->numbers[2]; n++) {
        rd_kafka_mock_push_request_errors(cluster, (int16_t)order->numbers[0], 1,
                                          (rd_kafka_resp_err_t)order->numbers[1]);
    }
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_resp_err_t forgive(rd_kafka_mock_cluster_t *cluster, const struct order *order)
{
    rd_kafka_mock_clear_request_errors(cluster, (int16_t)order->numbers[0]);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_resp_err_t move_coordinator(rd_kafka_mock_cluster_t *cluster,
                                            const struct order *order)
{
    return rd_kafka_mock_coordinator_set(cluster, "group", order->text, (int32_t)order->numbers[0]);
}

static rd_kafka_resp_err_t move_leader(rd_kafka_mock_cluster_t *cluster, const struct order *order)
{
    return rd_kafka_mock_partition_set_leader(cluster, order->text, (int32_t)order->numbers[0],
                                              (int32_t)order->numbers[1]);
}

static const struct command commands[] = {
    {"topic", "tn", make_topic},    {"down", "n", take_down},
    {"up", "n", bring_up},          {"rtt", "nn", slow_down},
    {"error", "nnn", refuse},       {"forgive", "n", forgive},
    {"leader", "tnn", move_leader}, {"coordinator", "tn", move_coordinator},
};

/* The words of a line, which is cut where they end; MOST_WORDS + 1 are too many. */
static size_t split(char *line, char *words[static MOST_WORDS + 1])
{
    size_t count = 0;
    char *rest = NULL;
    for (char *word = strtok_r(line, " \n", &rest); word && count <= MOST_WORDS;
         word = strtok_r(NULL, " \n", &rest)) {
        words[count++] = word;
    }
    return count;
}

static bool read_order(const char *takes, char **words, size_t count, struct order *order)
{
    size_t numbers = 0;
    if (count != strlen(takes)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        char *end = words[i];
        if (takes[i] == 't') {
            order->text = words[i];
            continue;
        }
        order->numbers[numbers++] = strtol(words[i], &end, 10);
        if (end == words[i] || *end != '\0') {
            return false;
        }
    }
    return true;
}

static const char *carry_out(rd_kafka_mock_cluster_t *cluster, char *line)
{
    char *words[MOST_WORDS + 1];
    size_t count = split(line, words);
    for (size_t i = 0; count > 0 && i < sizeof commands / sizeof *commands; i++) {
        struct order order = {0};
        if (strcmp(words[0], commands[i].name) != 0) {
            continue;
        }
        if (!read_order(commands[i].takes, words + 1, count - 1, &order)) {
            return "not what this command takes";
        }
        rd_kafka_resp_err_t error = commands[i].run(cluster, &order);
        return error ? rd_kafka_err2str(error) : "ok";
    }
    return "no such command";
}

int main(int argc, char **argv)
{
    char text[256];
    long brokers = argc > 1 ? strtol(argv[1], NULL, 10) : 3;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    /* It has no cluster but this one, of which it would be warned. */
    rd_kafka_conf_set(conf, "log_level", "2", NULL, 0);
    rd_kafka_t *handle = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    if (!handle) {
        fprintf(stderr, "kafka_mock: %s\n", text);
        return EXIT_FAILURE;
    }
    rd_kafka_mock_cluster_t *cluster = rd_kafka_mock_cluster_new(handle, (int)brokers);
    if (!cluster) {
        fprintf(stderr, "kafka_mock: no cluster of %ld brokers\n", brokers);
        rd_kafka_destroy(handle);
        return EXIT_FAILURE;
    }

    puts(rd_kafka_mock_cluster_bootstraps(cluster));
    fflush(stdout);
    while (fgets(text, sizeof text, stdin)) {
        puts(carry_out(cluster, text));
        fflush(stdout);
    }

    rd_kafka_mock_cluster_destroy(cluster);
    rd_kafka_destroy(handle);
    return EXIT_SUCCESS;
}
