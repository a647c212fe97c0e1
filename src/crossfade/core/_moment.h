/* A moment as ISO 8601 writes it, and RFC 3339. */

#pragma once

#include "_text.h"

#define SECONDS 19      /* bytes of 2026-11-22T22:22:16 */
#define ZONE 6          /* bytes of +05:30 */

static inline int number(const uint8_t *at, int digits) {
    int value = 0;
    while (digits--) {
        if (!is_digit(*at)) return INT_MIN / 2;
        value = value * 10 + (*at++ - '0');
    }
    return value;
}

/* Days since 1970-01-01 of the proleptic Gregorian calendar: Howard Hinnant, chrono-compatible low-level date
   algorithms, days_from_civil; for years from 1 on. */
static inline int64_t days_from_civil(int year, int month, int day) {
    year -= month <= 2;
    int era = year / 400, year_of_era = year - era * 400;
    int day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * INT64_C(146097) + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

static inline int days_of_month(int year, int month) {
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 ? 28 + leap : 30 + ((month + month / 8) & 1);
}

/* 2026-11-22T22:22:16: seconds since the epoch, were it in UTC. */
static inline bool read_seconds(Cursor *c, int64_t *seconds) {
    const uint8_t *at = c->at;
    if (c->end - at < SECONDS || at[4] != '-' || at[7] != '-' || at[10] != 'T' || at[13] != ':' || at[16] != ':')
        return false;
    int year = number(at, 4), month = number(at + 5, 2), day = number(at + 8, 2);
    int hour = number(at + 11, 2), minute = number(at + 14, 2), second = number(at + 17, 2);
    if (year < 1 || month < 1 || month > 12 || day < 1 || day > days_of_month(year, month) || hour < 0 || hour > 23
        || minute < 0 || minute > 59 || second < 0 || second > 59) return false;
    c->at += SECONDS;
    *seconds = ((days_from_civil(year, month, day) * 24 + hour) * 60 + minute) * 60 + second;
    return true;
}

/* Minutes east of Greenwich: Z or +05:30. */
static inline bool read_zone(Cursor *c, int *minutes) {
    *minutes = 0;
    if (takes(c, 'Z')) return true;
    if (c->end - c->at < ZONE || (*c->at != '+' && *c->at != '-') || c->at[3] != ':') return false;
    int hour = number(c->at + 1, 2), minute = number(c->at + 4, 2);
    if (hour < 0 || hour > 23 || minute < 0 || minute > 59) return false;
    *minutes = (*c->at == '-' ? -1 : 1) * (hour * 60 + minute);
    c->at += ZONE;
    return true;
}
