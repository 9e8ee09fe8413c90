#include "collector/suggest/plan.h"

#include "collector/suggest/words.h"
#include "shared/base/timestamp.h"
#include "shared/model/topic.h"

#include <stdlib.h>
#include <string.h>

typedef int (*rank_fn)(const char *text, size_t bytes);

static size_t depth_of(const char *pointer)
{
    size_t depth = 0;

    for (; *pointer; pointer++)
        depth += *pointer == '/';
    return depth;
}

static bool is_in_list(const char *pointer)
{
    return strstr(pointer, "/*") != NULL;
}

bool plan_is_below(const struct plan *plan, const struct member *member)
{
    size_t bytes = strlen(plan->each);

    return bytes == 0 || (strncmp(member->pointer, plan->each, bytes) == 0 &&
                          (member->pointer[bytes] == '/' || !member->pointer[bytes]));
}

/* A list within what is below is not walked through. */
static bool is_at_hand(const struct plan *plan, const struct member *member)
{
    const char *rest = member->pointer + (plan_is_below(plan, member) ? strlen(plan->each) : 0);

    return !is_in_list(rest);
}

void plan_put_pointer(struct buffer *out, const struct plan *plan, const struct member *member)
{
    const char *pointer = member->pointer;

    if (*plan->each && plan_is_below(plan, member))
        pointer += strlen(plan->each);
    else if (*plan->each)
        buffer_put_text(out, "^");
    for (; *pointer; pointer++)
        buffer_put(out, pointer[0] == '*' && pointer[-1] == '/' ? "0" : pointer, 1);
}

/* ---- moments -------------------------------------------------------------------------------- */

static struct json_token token_of(const struct member_value *value)
{
    return (struct json_token){.text = value->text, .bytes = value->bytes, .kind = value->kind};
}

/* All values must say it in the same way. */
static enum look_time time_look(const struct member *member, char format[LOOK_FORMAT_SIZE],
                                int64_t *ahead_us)
{
    enum look_time look = LOOK_NO_TIME;

    for (size_t i = 0; i < member->value_count; i++) {
        struct json_token token = token_of(&member->values[i]);
        enum look_time one;
        int64_t us;

        if (token.kind == JSON_NULL)
            continue;
        one = look_time(&token, member->values[i].at_us, format, &us);
        if (one == LOOK_NO_TIME || (look != LOOK_NO_TIME && one != look))
            return LOOK_NO_TIME;
        look = one;
        *ahead_us = us - member->values[i].at_us;
    }
    return look;
}

static void find_time(struct plan *plan, const struct members *members)
{
    size_t best = SIZE_MAX;

    for (size_t i = 0; i < members->count; i++) {
        const struct member *member = &members->items[i];
        int rank = word_rank_time(member->name, member->name_bytes);
        char format[LOOK_FORMAT_SIZE] = "";
        int64_t ahead_us = INT64_MIN;
        enum look_time look;
        size_t place = 1000 * depth_of(member->pointer) + (size_t)rank;

        if (*plan->each && plan_is_below(plan, member))
            place = (size_t)rank; /* the member's own comes before that of all */
        if (rank < 0 || place >= best || !is_at_hand(plan, member))
            continue;
        look = time_look(member, format, &ahead_us);
        if (look == LOOK_NO_TIME)
            continue;
        best = place;
        plan->time = member;
        plan->time_look = look;
        plan->time_ahead_us = ahead_us;
        memcpy(plan->time_format, format, sizeof(format));
    }
}

/* ---- the other roles ------------------------------------------------------------------------ */

static const struct member *find(const struct plan *plan, const struct members *members,
                                 rank_fn rank_of, bool (*is_fit)(const struct member *),
                                 size_t most_depth)
{
    const struct member *found = NULL;
    size_t best = SIZE_MAX;

    for (size_t i = 0; i < members->count; i++) {
        const struct member *member = &members->items[i];
        int rank = rank_of(member->name, member->name_bytes);
        size_t depth = depth_of(member->pointer) - depth_of(plan->each);
        size_t place = 1000 * depth + (size_t)rank;

        if (rank < 0 || place >= best || depth > most_depth || !is_at_hand(plan, member) ||
            !plan_is_below(plan, member) || !is_fit(member))
            continue;
        best = place;
        found = member;
    }
    return found;
}

bool plan_is_status(const struct member *member)
{
    bool is_status = false;

    for (size_t i = 0; i < member->value_count; i++) {
        const struct member_value *value = &member->values[i];

        if (value->kind == JSON_NULL)
            continue;
        if (value->kind != JSON_BOOLEAN &&
            (value->kind != JSON_STRING || !word_status(value->text, value->bytes)))
            return false;
        is_status = true;
    }
    return is_status;
}

static bool is_device(const struct member *member)
{
    for (size_t i = 0; i < member->value_count; i++) {
        const struct member_value *value = &member->values[i];

        if ((value->kind != JSON_STRING && value->kind != JSON_NUMBER) ||
            !device_id_is_legal(value->text, value->bytes))
            return false;
    }
    return true;
}

static const struct member *find_device(const struct plan *plan, const struct members *members)
{
    const struct member *found = find(plan, members, word_rank_device, is_device, 2);

    if (found || !*plan->each)
        return found;
    return find(&(struct plan){.each = ""}, members, word_rank_device, is_device, 2);
}

/* ---- lists ---------------------------------------------------------------------------------- */

static const struct member *find_in(const struct members *members, const char *each, size_t bytes,
                                    bool (*is_called)(const char *, size_t),
                                    bool (*is_fit)(const struct member *))
{
    for (size_t i = 0; i < members->count; i++) {
        const struct member *member = &members->items[i];

        if (strncmp(member->pointer, each, bytes) == 0 && member->pointer[bytes] == '/' &&
            member->name == member->pointer + bytes + 1 && !member->name[member->name_bytes] &&
            is_called(member->name, member->name_bytes) && is_fit(member))
            return member;
    }
    return NULL;
}

static bool is_text(const struct member *member)
{
    bool is_number = member_is_number(member);

    return !is_number && member->value_count > 0 && member->values[0].kind == JSON_STRING;
}

static bool is_time_name(const char *text, size_t bytes)
{
    return word_rank_time(text, bytes) >= 0;
}

static bool is_time(const struct member *member)
{
    char format[LOOK_FORMAT_SIZE];
    int64_t ahead_us;

    return time_look(member, format, &ahead_us) != LOOK_NO_TIME;
}

/* The last * of a pointer; 0 when it has none. */
static size_t list_bytes(const char *pointer)
{
    size_t bytes = 0;

    for (const char *at = strstr(pointer, "/*"); at; at = strstr(at + 1, "/*"))
        bytes = (size_t)(at - pointer) + 2;
    return bytes;
}

/* How much speaks for walking through the list that a member is in; 0: nothing. */
static int weigh_list(struct plan *plan, const struct members *members, const struct member *member,
                      size_t bytes)
{
    const char *each = member->pointer;
    const struct member *name = find_in(members, each, bytes, word_is_name, is_text);
    const struct member *value = find_in(members, each, bytes, word_is_value, member_is_number);

    if (name && value) {
        plan->name = name;
        plan->value = value;
        return 4;
    }
    if (strspn(each, "/*") >= bytes)
        return 3;
    if (find_in(members, each, bytes, is_time_name, is_time))
        return 2;
    return member->is_of_keys ? 1 : 0;
}

static void find_each(struct plan *plan, const struct members *members)
{
    int best = 0;

    for (size_t i = 0; i < members->count; i++) {
        const struct member *member = &members->items[i];
        size_t bytes = list_bytes(member->pointer);
        struct plan there = {.is_map = members->is_map};
        int weight = bytes > 0 ? weigh_list(&there, members, member, bytes) : 0;

        if (weight <= best)
            continue;
        best = weight;
        memcpy(there.each, member->pointer, bytes);
        there.is_of_keys = member->is_of_keys;
        *plan = there;
    }
}

/* Two lists of values or more, all as long as the first: {"temperature": [21.4, 21.5], "pressure": [3.2, 3.2]} */
static size_t positions(const struct members *members, const struct member *first)
{
    size_t bytes = (size_t)(strrchr(first->pointer, '/') - first->pointer);
    size_t count = 0;

    for (size_t i = 0; i < members->count; i++) {
        const char *pointer = members->items[i].pointer;

        count += strncmp(pointer, first->pointer, bytes + 1) == 0 &&
                 !strchr(pointer + bytes + 1, '/') && member_is_number(&members->items[i]);
    }
    return count;
}

static void find_columns(struct plan *plan, const struct members *members)
{
    const struct member *first = NULL;
    size_t columns = 0;

    for (size_t i = 0; i < members->count; i++) {
        const struct member *member = &members->items[i];
        size_t bytes = strlen(member->pointer);

        if (bytes < 3 || strcmp(member->pointer + bytes - 2, "/0") != 0 ||
            depth_of(member->pointer) != 2 || !member_is_number(member) ||
            positions(members, member) < 2)
            continue;
        if (!first)
            first = member;
        columns += positions(members, member) == positions(members, first);
    }
    if (columns < 2)
        return;
    plan->is_columns = true;
    memcpy(plan->each, first->pointer, strlen(first->pointer) - 1);
    strcat(plan->each, "*");
}

/* ---- all of it ------------------------------------------------------------------------------ */

static int rank_step(const char *text, size_t bytes)
{
    static const char *const words[] = {"dt_ms", "dt", "interval_ms", "interval", "step", "period"};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strlen(words[i]) == bytes && memcmp(words[i], text, bytes) == 0)
            return (int)i;
    }
    return -1;
}

void plan_make(struct plan *plan, const struct members *members)
{
    const struct plan root = {.each = ""};

    *plan = (struct plan){.time_ahead_us = INT64_MIN};
    find_each(plan, members);
    if (!*plan->each)
        find_columns(plan, members);
    find_time(plan, members);
    plan->device = find_device(plan, members);
    plan->status = plan->name ? NULL : find(plan, members, word_rank_status, plan_is_status, 3);
    plan->seq = find(plan->is_columns ? &root : plan, members, word_rank_seq, member_is_count, 3);
    if (plan->is_columns)
        plan->step = find(&root, members, rank_step, member_is_number, 1);
}
