/* measure.h: clock, memory and medians, for the benchmarks in C.
 *
 * Shape    inline, since each benchmark is a program of one file.
 */
#ifndef HIGHWATER_MEASURE_H
#define HIGHWATER_MEASURE_H

#include "shared/base/random.h"

#include <malloc.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { MEASURE_SAMPLES_MAX = 99 };

static inline double now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static inline size_t bytes_in_use(void)
{
    struct mallinfo2 info = mallinfo2();

    return info.uordblks + info.hblkhd;
}

static inline size_t rss_bytes(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");

    if (!file || fscanf(file, "%*u %lu", &pages) != 1)
        pages = 0;
    if (file)
        fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static inline int compare_doubles(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return (left > right) - (left < right);
}

/* The median of one member, a double at `offset`, of `count` samples of `bytes` each. */
static inline double median(const void *samples, size_t bytes, size_t count, size_t offset)
{
    double values[MEASURE_SAMPLES_MAX] = {0};

    for (size_t i = 0; i < count; i++)
        memcpy(&values[i], (const char *)samples + i * bytes + offset, sizeof(double));
    qsort(values, count, sizeof(double), compare_doubles);
    return values[count / 2];
}

static inline void shuffle(uint32_t *items, size_t count, uint64_t *random)
{
    for (size_t i = count; i > 1; i--) {
        size_t j = (size_t)random_below(random, i);
        uint32_t item = items[i - 1];

        items[i - 1] = items[j];
        items[j] = item;
    }
}

static inline bool is_word(const char *text, const char *word)
{
    return text && strcmp(text, word) == 0;
}

#endif
