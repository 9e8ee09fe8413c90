#include "collector/sinks/redis_command.h"

#include "shared/base/json_write.h"
#include "shared/base/mem.h"
#include "shared/model/reading_json.h"

#include <hiredis.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* KEYS: value, version[, ranking, readings]
 * ARGV: turn, generation, expiry in ms, channel, value, then device, number, reading of each entry
 *
 * The first write is one that Redis refuses when it is full or a replica; after it nothing is refused,
 * so that there is all or nothing. The version comes last: what the rights of a user have cut short is
 * not there. What is there already is only renewed, which a full Redis allows. */
const char redis_script[] =
    "local turn, generation = tonumber(ARGV[1]), tonumber(ARGV[2])\n"
    "local held = redis.pcall('GET', KEYS[2])\n"
    "held = type(held) == 'string' and held or ''\n"
    "local of_turn, of_generation = string.match(held, '^(%d+) (%d+)$')\n"
    "if of_turn then\n"
    "  of_turn, of_generation = tonumber(of_turn), tonumber(of_generation)\n"
    "  if of_turn > turn or (of_turn == turn and of_generation > generation) then return 0 end\n"
    "end\n"
    "local version = ARGV[1] .. ' ' .. ARGV[2]\n"
    "local is_there = held == version and redis.pcall('GET', KEYS[1]) == ARGV[5]\n"
    "if is_there and KEYS[3] then\n"
    "  is_there = redis.call('EXISTS', KEYS[3], KEYS[4]) == (#ARGV > 5 and 2 or 0)\n"
    "end\n"
    "if is_there then\n"
    "  for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ARGV[3]) end\n"
    "  return 2\n"
    "end\n"
    "redis.call('SET', KEYS[1], ARGV[5], 'PX', ARGV[3])\n"
    "if KEYS[3] then\n"
    "  redis.call('DEL', KEYS[3], KEYS[4])\n"
    "  for i = 6, #ARGV, 3 do\n"
    "    redis.call('ZADD', KEYS[3], ARGV[i + 1], ARGV[i])\n"
    "    redis.call('HSET', KEYS[4], ARGV[i], ARGV[i + 2])\n"
    "  end\n"
    "  redis.call('PEXPIRE', KEYS[3], ARGV[3])\n"
    "  redis.call('PEXPIRE', KEYS[4], ARGV[3])\n"
    "end\n"
    "redis.call('PUBLISH', ARGV[4], ARGV[5])\n"
    "redis.call('SET', KEYS[2], version, 'PX', ARGV[3])\n"
    "return 1\n";

/* ---- arguments -------------------------------------------------------------------------------- */

static void end_argument(struct redis_command *command)
{
    if (command->count == command->capacity) {
        command->capacity = mem_grown(command->capacity, command->count + 1);
        command->ends = mem_realloc(command->ends, command->capacity * sizeof(command->ends[0]));
    }
    command->ends[command->count++] = command->text.bytes;
}

void redis_command_begin(struct redis_command *command, const char *name)
{
    buffer_clear(&command->text);
    command->count = 0;
    redis_command_add_text(command, name);
}

void redis_command_add(struct redis_command *command, const void *data, size_t bytes)
{
    buffer_put(&command->text, data, bytes);
    end_argument(command);
}

void redis_command_add_text(struct redis_command *command, const char *text)
{
    redis_command_add(command, text, strlen(text));
}

char *redis_command_format(struct redis_command *command, size_t *bytes)
{
    const char **argv = mem_alloc(command->count * sizeof(argv[0]));
    size_t *lengths = mem_alloc(command->count * sizeof(lengths[0]));
    size_t at = 0;
    char *out = NULL;
    long long formatted;

    for (size_t i = 0; i < command->count; i++) {
        argv[i] = (const char *)command->text.data + at;
        lengths[i] = command->ends[i] - at;
        at = command->ends[i];
    }
    formatted = redisFormatCommandArgv(&out, (int)command->count, argv, lengths);
    free(lengths);
    free(argv);
    if (formatted < 0) {
        fprintf(stderr, "out of memory: no Redis command of %zu bytes\n", at);
        abort();
    }
    *bytes = (size_t)formatted;
    return out;
}

void redis_command_release(struct redis_command *command)
{
    buffer_release(&command->text);
    buffer_release(&command->name);
    free(command->ends);
    *command = (struct redis_command){0};
}

/* ---- items ------------------------------------------------------------------------------------ */

static void add_number(struct redis_command *command, int64_t number)
{
    buffer_printf(&command->text, "%" PRId64, number);
    end_argument(command);
}

/* ID:FEATURE:INTERVAL, as it stands in keys and channels. */
static const char *name_of(struct redis_command *command, const char *id,
                           const struct board_head *head)
{
    buffer_clear(&command->name);
    buffer_printf(&command->name, "%s:%s:%s%s", id, head->feature, head->interval,
                  head->order == ORDER_LOWEST ? ":lowest" : "");
    return buffer_text(&command->name);
}

static void add_key(struct redis_command *command, const char *tag, const char *part)
{
    buffer_printf(&command->text, "highwater:{%s}:%s", tag, part);
    end_argument(command);
}

static void add_channel(struct redis_command *command, const char *what, const char *name)
{
    buffer_printf(&command->text, "highwater:%s:%s", what, name);
    end_argument(command);
}

static void begin_script(struct redis_command *command, const struct redis_put *put,
                         const char *key_count)
{
    redis_command_begin(command, "EVALSHA");
    redis_command_add_text(command, put->sha);
    redis_command_add_text(command, key_count);
}

static void add_version(struct redis_command *command, const struct redis_put *put,
                        int64_t generation)
{
    add_number(command, put->turn);
    add_number(command, generation);
    add_number(command, put->expiry_ms);
}

static void add_entry(struct redis_command *command, const struct redis_put *put,
                      const struct board_entry *entry, size_t feature)
{
    redis_command_add_text(command, entry->device_id);
    json_write_double(&command->text, entry->reading->values[feature]);
    end_argument(command);
    reading_json_write(&command->text, entry->device_id, entry->reading, put->features);
    end_argument(command);
}

static void put_board(struct redis_command *command, const struct redis_put *put,
                      const struct sink_item *item)
{
    const char *name = name_of(command, put->collector_id, item->head);
    size_t feature = features_find(put->features, item->head->feature);

    begin_script(command, put, "4");
    add_key(command, name, "board");
    add_key(command, name, "version");
    add_key(command, name, "ranking");
    add_key(command, name, "readings");
    add_version(command, put, item->head->generation);
    add_channel(command, "boards", name);
    redis_command_add(command, item->bytes->data, item->bytes->bytes);
    for (size_t i = 0; i < item->entry_count; i++)
        add_entry(command, put, &item->entries[i], feature);
}

static void put_status(struct redis_command *command, const struct redis_put *put,
                       const struct sink_item *item)
{
    begin_script(command, put, "2");
    add_key(command, put->collector_id, "status");
    add_key(command, put->collector_id, "status:version");
    add_version(command, put, put->generation);
    add_channel(command, "status", put->collector_id);
    redis_command_add(command, item->bytes->data, item->bytes->bytes);
}

void redis_command_put(struct redis_command *command, const struct redis_put *put,
                       const struct sink_item *item)
{
    switch (item->what) {
    case SINK_BOARD:
        put_board(command, put, item);
        return;
    case SINK_STATUS:
        put_status(command, put, item);
        return;
    case SINK_NOTE: /* redis_sink.c hands on neither */
    case SINK_RECALL:
    case SINK_LINE:
        break;
    }
    redis_command_begin(command, "PUBLISH");
    add_channel(command, "rejected", put->collector_id);
    redis_command_add(command, item->bytes->data, item->bytes->bytes);
}
