/* words.h: the words that devices use, in topics and as names of members.
 *
 * Shape    tables and questions; case does not matter. They are guesses, as is all that is made of them: a
 *          wrong one costs the user a line to mend.
 */
#ifndef HIGHWATER_SUGGEST_WORDS_H
#define HIGHWATER_SUGGEST_WORDS_H

#include <stdbool.h>
#include <stddef.h>

/* Of a topic: says what kind of message it is, not whose. */
bool word_is_structural(const char *text, size_t bytes);

/* temperature, air_humidity, tempc: what is measured. */
bool word_is_quantity(const char *text, size_t bytes);

/* Where in the order of preference a member's name is for a role; -1: it has none. */
int word_rank_time(const char *text, size_t bytes);
int word_rank_device(const char *text, size_t bytes);
int word_rank_status(const char *text, size_t bytes);
int word_rank_seq(const char *text, size_t bytes);

/* Of lists of names and values. */
bool word_is_name(const char *text, size_t bytes);
bool word_is_value(const char *text, size_t bytes);

/* id, channel, version: numbers that are no measurement. */
bool word_is_identifier(const char *text, size_t bytes);

/* A word that is a status, and the one that means the contrary. */
struct word_status {
    const char *word;
    const char *status;
    const char *contrary;
    const char *contrary_status;
};

/* Case matters. NULL when it is no such word. */
const struct word_status *word_status(const char *text, size_t bytes);

#endif
