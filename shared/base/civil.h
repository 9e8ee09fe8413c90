/* civil.h: the civil calendar, as days since 1970-01-01.
 *
 * Errors   none: any year, month 1 to 12, any day.
 * Source   the calendar as eras of 400 years, which begin in March.
 */
#ifndef HIGHWATER_CIVIL_H
#define HIGHWATER_CIVIL_H

#include <stdbool.h>
#include <stdint.h>

static inline int64_t civil_days(int64_t year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
           719468;
}

static inline bool civil_is_leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static inline int civil_days_in_month(int64_t year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    return month == 2 && civil_is_leap(year) ? 29 : days[month - 1];
}

static inline int64_t civil_year(int64_t days)
{
    int64_t year = 1970 + days / 366 - (days < 0);

    while (civil_days(year + 1, 1, 1) <= days)
        year++;
    return year;
}

#endif
