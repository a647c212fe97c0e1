/* A plain event: its fields, found in a body. What makes it plain is told in _batch.c, what it means in event.py. */

#pragma once

#include "_json.h"
#include "_moment.h"

#define MAX_NAME 200        /* as event.MAX_NAME and event.MAX_ID; in bytes, of which there are no fewer than characters */
#define MAX_MESSAGE_ID 100
#define MAX_SEQUENCE 18     /* digits: fewer than 2**62 has */
#define MOMENT 32           /* bytes of 2026-11-22T22:22:16.965000+05:30, the longest time */

typedef enum { MESSAGE_ID, EVENT, USER_ID, ANONYMOUS_ID, SESSION_ID, PROPERTIES, SEQUENCE, TEXTS,
               TIMESTAMP = TEXTS, TYPE, CONTEXT, OTHER } Field;

typedef struct {
    Text texts[TEXTS];      /* in the order of the journal's line; of length 0 where there is nothing */
    int64_t micros;         /* its time, in microseconds since the epoch */
    uint8_t moment_length;  /* 0 for an event without a time */
    char moment[MOMENT];    /* the time as it is written in a line */
} Event;

/* Text without an escape, of so many bytes. */
static inline bool read_string(Cursor *c, size_t most, Text *found) {
    if (!takes(c, '"')) return false;
    const uint8_t *start = c->at;
    skip_plain(c);
    *found = since(start, c);
    return takes(c, '"') && found->length <= most;
}

/* The same; or null, which is none. */
static bool read_text(Cursor *c, size_t most, Text *found) {
    return takes_word(c, "null") || read_string(c, most, found);
}

static bool read_filled(Cursor *c, size_t most, Text *found) {
    return read_string(c, most, found) && found->length;
}

/* A name that is more than white space, of which Unicode knows many kinds. */
static bool read_name(Cursor *c, Text *found) {
    bool visible = false;
    if (!read_filled(c, MAX_NAME, found)) return false;
    for (size_t index = 0; index < found->length; index++) {
        if (found->at[index] >= 0x80) return false;
        visible |= found->at[index] > ' ';
    }
    return visible;
}

/* An object, as it is written, on one line. */
static bool read_object(Cursor *c, Text *found) {
    const uint8_t *start = c->at;
    if (c->at == c->end || *c->at != '{' || !skip_value(c, MAX_DEPTH)) return false;
    *found = since(start, c);
    /* In a string there are none: each was white space. */
    return !memchr(start, '\n', found->length) && !memchr(start, '\r', found->length)
        && !memchr(start, '\t', found->length);
}

static bool read_sequence(Cursor *c, Text *found) {
    const uint8_t *start = c->at;
    if (!takes(c, '0') && !skip_digits(c)) return false;
    *found = since(start, c);
    return found->length <= MAX_SEQUENCE;
}

/* 2026-11-22T22:22:16.965+00:00, with up to six digits of a second; or null. Written as msgspec does. */
static bool read_moment(Cursor *c, Event *event) {
    if (takes_word(c, "null")) return true;
    if (!takes(c, '"')) return false;
    const uint8_t *at = c->at;
    char *to = event->moment;
    int64_t seconds;
    int micros = 0, zone;
    if (!read_seconds(c, &seconds)) return false;
    memcpy(to, at, SECONDS);
    to += SECONDS;
    if (takes(c, '.')) {
        const uint8_t *first = c->at;
        if (!skip_digits(c) || c->at - first > 6) return false;
        memcpy(to, ".000000", 7);
        memcpy(to + 1, first, c->at - first);
        micros = number((const uint8_t *)to + 1, 6);
        if (micros) to += 7;
    }
    at = c->at;
    if (!read_zone(c, &zone) || !takes(c, '"')) return false;
    size_t length = zone ? ZONE : 1;
    memcpy(to, zone ? (const char *)at : "Z", length);
    event->moment_length = (uint8_t)(to + length - event->moment);
    event->micros = (seconds - zone * 60) * 1000000 + micros;
    return true;
}

/* The only type that needs no translation. */
static bool read_type(Cursor *c) { return takes_word(c, "\"track\""); }

static Field field_of(Text key) {
    switch (key.length) {
    case 4: return is(key, "type") ? TYPE : OTHER;
    case 5: return is(key, "event") ? EVENT : OTHER;
    case 6: return is(key, "userId") ? USER_ID : OTHER;
    case 7: return is(key, "context") ? CONTEXT : OTHER;
    case 8: return is(key, "sequence") ? SEQUENCE : OTHER;
    case 9:
        return is(key, "messageId") ? MESSAGE_ID : is(key, "timestamp") ? TIMESTAMP
             : is(key, "sessionId") ? SESSION_ID : OTHER;
    case 10: return is(key, "properties") ? PROPERTIES : OTHER;
    case 11: return is(key, "anonymousId") ? ANONYMOUS_ID : OTHER;
    default: return OTHER;
    }
}

/* A member's name, without an escape, and the colon: the cursor is at its value then. */
static bool read_key(Cursor *c, Text *name) {
    skip_space(c);
    if (!read_string(c, SIZE_MAX, name) || !takes_token(c, ':')) return false;
    skip_space(c);
    return true;
}

/* The context's session, which counts where the event names none. */
static bool read_context(Cursor *c, Text *session) {
    if (takes_word(c, "null")) return true;
    bool seen = false;
    Text key;
    if (!takes(c, '{')) return false;
    if (takes_token(c, '}')) return true;
    for (;;) {
        if (!read_key(c, &key)) return false;
        if (is(key, "sessionId")) {
            if (seen || !read_text(c, MAX_NAME, session)) return false;
            seen = true;
        } else if (!skip_value(c, MAX_DEPTH)) return false;
        Next next = next_item(c, '}');
        if (next != ANOTHER) return next == LAST;
    }
}

static bool read_field(Cursor *c, Field field, Event *event, Text *session) {
    Text *text = field < TEXTS ? &event->texts[field] : NULL;
    switch (field) {
    case MESSAGE_ID: return read_filled(c, MAX_MESSAGE_ID, text);
    case EVENT: return read_name(c, text);
    case USER_ID: case ANONYMOUS_ID: case SESSION_ID: return read_text(c, MAX_NAME, text);
    case PROPERTIES: return read_object(c, text);
    case SEQUENCE: return read_sequence(c, text);
    case TIMESTAMP: return read_moment(c, event);
    case TYPE: return read_type(c);
    case CONTEXT: return read_context(c, session);
    default: return skip_value(c, MAX_DEPTH);
    }
}

static bool read_event(Cursor *c, Event *event) {
    unsigned seen = 0;
    Text key, session = {NULL, 0};
    memset(event, 0, sizeof *event);
    if (!takes_token(c, '{')) return false;
    for (;;) {
        if (!read_key(c, &key)) return false;
        Field field = field_of(key);
        if (field != OTHER && seen & 1u << field) return false;
        seen |= 1u << field;
        if (!read_field(c, field, event, &session)) return false;
        Next next = next_item(c, '}');
        if (next == WRONG) return false;
        if (next == LAST) break;
    }
    if (!event->texts[SESSION_ID].length) event->texts[SESSION_ID] = session;
    if (!event->texts[PROPERTIES].length) event->texts[PROPERTIES] = (Text){(const uint8_t *)"{}", 2};
    if (!event->texts[SEQUENCE].length) event->texts[SEQUENCE] = (Text){(const uint8_t *)"0", 1};
    return event->texts[EVENT].length && event->texts[MESSAGE_ID].length;
}
