#include "httpapi/tokens.h"

#include "shared/base/mem.h"
#include "shared/base/regular_file.h"
#include "shared/base/secret.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_SIZE = 256, REASON_SIZE = 256, GROUP_MOST_BYTES = 16 };
enum { FILE_MOST_BYTES = TOKENS_MAX * (TOKEN_MOST_BYTES + 128) };

struct known_token {
    unsigned char digest[SHA256_DIGEST_LENGTH];
    unsigned groups;
};

struct tokens {
    size_t count;
    struct known_token known[TOKENS_MAX];
};

static const struct {
    const char *name;
    unsigned groups;
} groups[] = {{"read", TOKEN_READ}, {"events", TOKEN_EVENTS},     {"metrics", TOKEN_METRICS},
              {"page", TOKEN_PAGE}, {"rejected", TOKEN_REJECTED}, {"all", TOKEN_ALL}};

#define GROUPS_LEGAL "read, events, metrics, page, rejected and all"

const char *token_group_name(enum token_group group)
{
    for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
        if (groups[i].groups == (unsigned)group)
            return groups[i].name;
    }
    return "";
}

/* ---- tokens --------------------------------------------------------------------------------- */

bool token_is_well_formed(const char *token, size_t bytes)
{
    size_t i = 0;

    while (i < bytes &&
           (isalnum((unsigned char)token[i]) || (token[i] && strchr("-._~+/", token[i]))))
        i++;
    if (i == 0)
        return false;
    while (i < bytes && token[i] == '=')
        i++;
    return i == bytes;
}

unsigned tokens_find(const struct tokens *tokens, const char *token, size_t bytes)
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    unsigned found = 0;

    SHA256((const unsigned char *)token, bytes, digest);
    for (size_t i = 0; i < tokens->count; i++) {
        const struct known_token *known = &tokens->known[i];

        found |= known->groups * !CRYPTO_memcmp(known->digest, digest, sizeof(digest));
    }
    return found;
}

size_t tokens_count(const struct tokens *tokens)
{
    return tokens->count;
}

bool tokens_are_equal(const struct tokens *a, const struct tokens *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        if (a->known[i].groups != b->known[i].groups ||
            memcmp(a->known[i].digest, b->known[i].digest, SHA256_DIGEST_LENGTH) != 0)
            return false;
    }
    return true;
}

void tokens_free(struct tokens *tokens)
{
    free(tokens);
}

/* ---- a line --------------------------------------------------------------------------------- */

static unsigned find_group(const char *name, size_t bytes)
{
    for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
        if (strlen(groups[i].name) == bytes && memcmp(groups[i].name, name, bytes) == 0)
            return groups[i].groups;
    }
    return 0;
}

/* "read,events"; 0, and which one, when one of them is none. */
static unsigned parse_groups(const char *text, size_t bytes, unsigned *which)
{
    unsigned found = 0;
    size_t from = 0;

    for (*which = 1; from <= bytes; ++*which) {
        const char *comma = memchr(text + from, ',', bytes - from);
        size_t to = comma ? (size_t)(comma - text) : bytes;
        unsigned group = find_group(text + from, to - from);

        if (!group)
            return 0;
        found |= group;
        from = to + 1;
    }
    return found;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static size_t skip_word(const char *text, size_t at, size_t bytes)
{
    while (at < bytes && !is_blank(text[at]))
        at++;
    return at;
}

static size_t skip_blanks(const char *text, size_t at, size_t bytes)
{
    while (at < bytes && is_blank(text[at]))
        at++;
    return at;
}

/* A line that has something on it, without blanks around. */
static bool parse_line(struct tokens *tokens, const char *line, size_t bytes, char *reason)
{
    size_t groups_bytes = skip_word(line, 0, bytes);
    size_t at = skip_blanks(line, groups_bytes, bytes);
    size_t token_bytes = skip_word(line, at, bytes) - at;
    struct known_token *known = &tokens->known[tokens->count];
    unsigned which;

    if (token_bytes == 0 || at + token_bytes != bytes) {
        snprintf(reason, REASON_SIZE,
                 "a line has groups and then a token, as in: read,events TOKEN");
        return false;
    }
    known->groups = parse_groups(line, groups_bytes, &which);
    if (!known->groups) {
        snprintf(reason, REASON_SIZE, "group %u is none of " GROUPS_LEGAL, which);
        return false;
    }
    if (token_bytes < TOKEN_LEAST_BYTES || token_bytes > TOKEN_MOST_BYTES ||
        !token_is_well_formed(line + at, token_bytes)) {
        snprintf(reason, REASON_SIZE,
                 "a token has %d to %d letters, digits and -._~+/, with = at its end or not; "
                 "this one has %zu bytes",
                 TOKEN_LEAST_BYTES, TOKEN_MOST_BYTES, token_bytes);
        return false;
    }
    if (tokens_find(tokens, line + at, token_bytes)) {
        snprintf(reason, REASON_SIZE, "the token stands on a line before, too");
        return false;
    }
    SHA256((const unsigned char *)line + at, token_bytes, known->digest);
    tokens->count++;
    return true;
}

/* ---- the file ------------------------------------------------------------------------------- */

static bool parse_lines(struct tokens *tokens, const char *text, size_t bytes, char *error,
                        size_t error_bytes)
{
    char reason[REASON_SIZE];
    size_t from = 0;

    for (unsigned number = 1; from < bytes; number++) {
        const char *feed = memchr(text + from, '\n', bytes - from);
        size_t next = feed ? (size_t)(feed - text) + 1 : bytes;
        size_t to = feed ? next - 1 : bytes;

        if (to > from && text[to - 1] == '\r')
            to--;
        from = skip_blanks(text, from, to);
        while (to > from && is_blank(text[to - 1]))
            to--;
        if (to > from && text[from] != '#') {
            if (tokens->count == TOKENS_MAX) {
                snprintf(error, error_bytes, "line %u: there are more than %d tokens", number,
                         TOKENS_MAX);
                return false;
            }
            if (!parse_line(tokens, text + from, to - from, reason)) {
                snprintf(error, error_bytes, "line %u: %s", number, reason);
                return false;
            }
        }
        from = next;
    }
    snprintf(error, error_bytes,
             "there is no token in it; a line such as: all TOKEN would be one that opens all");
    return tokens->count > 0;
}

struct tokens *tokens_parse(const char *text, size_t bytes, char *error, size_t error_bytes)
{
    struct tokens *tokens = mem_calloc(1, sizeof(*tokens));

    if (parse_lines(tokens, text, bytes, error, error_bytes))
        return tokens;
    tokens_free(tokens);
    return NULL;
}

static struct tokens *read_from(FILE *file, char *error, size_t error_bytes)
{
    char *text;
    size_t bytes;
    struct tokens *tokens = NULL;

    setvbuf(file, NULL, _IONBF, 0); /* so that there is no other copy of it */
    text = mem_alloc(FILE_MOST_BYTES + 1);
    bytes = fread(text, 1, FILE_MOST_BYTES + 1, file);
    if (ferror(file))
        snprintf(error, error_bytes, "%s", strerror(errno));
    else if (bytes > FILE_MOST_BYTES)
        snprintf(error, error_bytes, "it has more than %d bytes", FILE_MOST_BYTES);
    else
        tokens = tokens_parse(text, bytes, error, error_bytes);
    OPENSSL_cleanse(text, bytes);
    free(text);
    return tokens;
}

struct tokens *tokens_read(const char *path, bool *is_open, char *error, size_t error_bytes)
{
    char shown[PATH_SIZE];
    char reason[REASON_SIZE];
    struct stat status;
    const char *flaw = "no memory";
    int fd = regular_file_open(path, &status, &flaw);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
    struct tokens *tokens = NULL;

    secret_path(shown, sizeof(shown), path);
    if (!file) {
        snprintf(reason, sizeof(reason), "%s", flaw);
    } else {
        *is_open = (status.st_mode & S_IROTH) != 0;
        tokens = read_from(file, reason, sizeof(reason));
        fclose(file);
    }
    if (!tokens)
        snprintf(error, error_bytes, "TOKEN_FILE: %s: %s", shown, reason);
    return tokens;
}
