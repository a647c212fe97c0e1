/* JSON as RFC 8259 has it, passed over without being kept, and somewhat stricter: see _batch.c. */

#pragma once

#include "_text.h"

#define MAX_DEPTH 64    /* as event.MAX_DEPTH: levels of nesting */

static bool is(Text text, const char *word) {
    return text.length == strlen(word) && !memcmp(text.at, word, text.length);
}

static void skip_space(Cursor *c) {
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\n' || *c->at == '\r' || *c->at == '\t')) c->at++;
}

/* A token, with white space before it or without. */
static bool takes_token(Cursor *c, uint8_t wanted) {
    skip_space(c);
    return takes(c, wanted);
}

static inline bool takes_word(Cursor *c, const char *word) {
    size_t length = strlen(word);
    if ((size_t)(c->end - c->at) < length || memcmp(c->at, word, length)) return false;
    c->at += length;
    return true;
}

static bool skip_digits(Cursor *c) {
    const uint8_t *first = c->at;
    while (c->at < c->end && is_digit(*c->at)) c->at++;
    return c->at > first;
}

/* To the next quote, backslash or control character of a string. Eight bytes at a time: a byte's highest bit is set in
   `stop` where it is one of these, or stands above one, which then was found first. */
static inline void skip_plain(Cursor *c) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    while (c->end - c->at >= 8) {
        uint64_t bytes;
        memcpy(&bytes, c->at, 8);
        uint64_t quote = bytes ^ EACH('"'), backslash = bytes ^ EACH('\\');
        uint64_t stop = ((quote - EACH(1)) & ~quote) | ((backslash - EACH(1)) & ~backslash)
                      | ((bytes - EACH(0x20)) & ~bytes);
        stop &= EACH(0x80);
        if (stop) {
            c->at += __builtin_ctzll(stop) / 8;
            return;
        }
        c->at += 8;
    }
#endif
    while (c->at < c->end && *c->at != '"' && *c->at != '\\' && *c->at >= 0x20) c->at++;
}

/* Behind a backslash. Half a surrogate pair is none of Unicode, and whole ones are rare enough to be looked at by others. */
static bool skip_escape(Cursor *c) {
    if (c->at == c->end) return false;
    if (*c->at != 'u') return strchr("\"\\/bfnrt", *c->at++) != NULL && c->at[-1] != 0;
    if (c->end - c->at < 5) return false;
    unsigned code = 0;
    for (int digit = 1; digit <= 4; digit++) {
        uint8_t byte = c->at[digit], letter = byte | 0x20;
        if (is_digit(byte)) code = code * 16 + (byte - '0');
        else if (letter >= 'a' && letter <= 'f') code = code * 16 + (letter - 'a' + 10);
        else return false;
    }
    c->at += 5;
    return code < 0xD800 || code > 0xDFFF;
}

static bool skip_string(Cursor *c) {
    if (!takes(c, '"')) return false;
    for (;;) {
        skip_plain(c);
        if (takes(c, '"')) return true;
        if (!takes(c, '\\') || !skip_escape(c)) return false;
    }
}

static bool skip_number(Cursor *c) {
    takes(c, '-');
    if (!takes(c, '0') && !skip_digits(c)) return false;
    if (takes(c, '.') && !skip_digits(c)) return false;
    if (takes(c, 'e') || takes(c, 'E')) {
        if (!takes(c, '+')) takes(c, '-');
        return skip_digits(c);
    }
    return true;
}

/* What is between the brackets' items. */
typedef enum { ANOTHER, LAST, WRONG } Next;

static Next next_item(Cursor *c, uint8_t bracket) {
    skip_space(c);
    return takes(c, ',') ? ANOTHER : takes(c, bracket) ? LAST : WRONG;
}

static bool skip_value(Cursor *c, int levels);

static bool skip_key(Cursor *c) {
    skip_space(c);
    return skip_string(c) && takes_token(c, ':');
}

static bool skip_items(Cursor *c, bool named, int levels) {
    uint8_t bracket = named ? '}' : ']';
    if (!levels) return false;
    c->at++;
    if (takes_token(c, bracket)) return true;
    for (;;) {
        if (named && !skip_key(c)) return false;
        if (!skip_value(c, levels - 1)) return false;
        Next next = next_item(c, bracket);
        if (next != ANOTHER) return next == LAST;
    }
}

/* Any value, of so many levels of nesting at the most. */
static bool skip_value(Cursor *c, int levels) {
    skip_space(c);
    if (c->at == c->end) return false;
    switch (*c->at) {
    case '"': return skip_string(c);
    case '{': return skip_items(c, true, levels);
    case '[': return skip_items(c, false, levels);
    case 't': return takes_word(c, "true");
    case 'f': return takes_word(c, "false");
    case 'n': return takes_word(c, "null");
    default: return skip_number(c);
    }
}
