/* A segment of the journal as columns, for the event store: an Arrow stream, read from the file block by block.

   What a line is, is told in line.py. A file is given only as far as its lines are plain, as ours all are: whatever else
   is found ends the stream with an error, and the careful way looks at the file line by line (store/sift.py). So it may
   be strict; what it must never do is to give a line that the careful way refuses, or another value than that
   (tests/store/test_lines.py).

   A block's texts are not copied: they are views into what was read. No Python is needed to read one, so the store's
   threads do it without the interpreter's lock. */

#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030B0000
#include <Python.h>

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "_arrow.h"
#include "_moment.h"

#define BLOCK (1 << 20)     /* bytes that are read at a time */
#define MAX_LINE (32 << 20) /* as sift.MAX_LINE: bytes with its newline */
#define MAX_DIGITS 18       /* of a number; fewer than 2**62 has */
#define NOT_PLAIN "a line is not as this server writes them"

typedef enum { SOURCE, RECEIVED, CLOCK_OFFSET, RAW_TS, MESSAGE_ID, EVENT, USER_ID, ANONYMOUS_ID, SESSION_ID, PROPERTIES,
               TRACKER, SEQUENCE, LINE, COLUMNS } Column;

/* Those of a line, and its number from 0. The formats are Arrow's: of 16 and of 64 bits, and views of texts. Moments are
   microseconds since the epoch. */
static const struct {
    const char *name, *format;
    bool optional;
} COLUMN[COLUMNS] = {
    {"source", "S", false}, {"received", "l", false}, {"clock_offset", "l", false}, {"raw_ts", "l", true},
    {"message_id", "vu", true}, {"event", "vu", true}, {"user_id", "vu", true}, {"anonymous_id", "vu", true},
    {"session_id", "vu", true}, {"properties", "vu", false}, {"tracker", "vu", true}, {"sequence", "l", true},
    {"line", "l", false},
};

static bool is_text(Column column) { return COLUMN[column].format[0] == 'v'; }

static size_t width(Column column) {
    return column == SOURCE ? sizeof(uint16_t) : is_text(column) ? sizeof(ArrowView) : sizeof(int64_t);
}

/* Blocks */

/* Some lines, and the arrays that tell of them. They let go of it one by one, on whatever thread. */
typedef struct {
    atomic_int holders;
    char *text;
    int64_t length;             /* of the text: a buffer of Arrow's that tells how long the others are */
    char *values[COLUMNS];
    uint8_t *present[COLUMNS];  /* bits; NULL for a column that is never empty */
    int64_t absent[COLUMNS];
    const void *buffers[COLUMNS][4], *no_buffers[1];
    struct ArrowArray arrays[COLUMNS], *children[COLUMNS];
} Block;

static void let_go(Block *block) {
    if (atomic_fetch_sub(&block->holders, 1) > 1) return;
    free(block->text);
    free(block);
}

static void release_column(struct ArrowArray *array) {
    array->release = NULL;
    let_go(array->private_data);
}

static void release_block(struct ArrowArray *array) {
    for (int64_t child = 0; child < array->n_children; child++)
        if (array->children[child]->release) array->children[child]->release(array->children[child]);
    release_column(array);
}

static size_t rounded(size_t size) { return (size + 63) & ~(size_t)63; }

/* For so many rows of a text, which it takes over; NULL when there is no memory. */
static Block *new_block(char *text, size_t length, size_t rows) {
    size_t size = rounded(sizeof(Block));
    for (Column column = 0; column < COLUMNS; column++)
        size += rounded(rows * width(column)) + (COLUMN[column].optional ? rounded((rows + 7) / 8) : 0);
    char *at = malloc(size);
    if (!at) return NULL;
    Block *block = (Block *)at;
    memset(block, 0, sizeof *block);
    at += rounded(sizeof(Block));
    for (Column column = 0; column < COLUMNS; column++) {
        block->values[column] = at;
        at += rounded(rows * width(column));
        if (!COLUMN[column].optional) continue;
        block->present[column] = memset(at, 0xFF, (rows + 7) / 8);
        at += rounded((rows + 7) / 8);
    }
    block->text = text;
    block->length = (int64_t)length;
    return block;
}

static void give(Block *block, size_t rows, struct ArrowArray *out) {
    block->holders = COLUMNS + 1;
    for (Column column = 0; column < COLUMNS; column++) {
        const void **buffers = block->buffers[column];
        buffers[0] = block->absent[column] ? block->present[column] : NULL;
        buffers[1] = block->values[column];
        buffers[2] = block->text;
        buffers[3] = &block->length;
        block->arrays[column] = (struct ArrowArray){
            .length = (int64_t)rows, .null_count = block->absent[column], .n_buffers = is_text(column) ? 4 : 2,
            .buffers = buffers, .release = release_column, .private_data = block,
        };
        block->children[column] = &block->arrays[column];
    }
    *out = (struct ArrowArray){
        .length = (int64_t)rows, .n_buffers = 1, .buffers = block->no_buffers, .n_children = COLUMNS,
        .children = block->children, .release = release_block, .private_data = block,
    };
}

/* Lines */

/* Up to the next control character: there is one, a newline or what stands behind the text. Eight bytes at a time, as
   in _json.h. */
static inline const uint8_t *end_of_column(const uint8_t *at) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    for (;; at += 8) {
        uint64_t bytes;
        memcpy(&bytes, at, 8);
        uint64_t stop = (bytes - EACH(0x20)) & ~bytes & EACH(0x80);
        if (stop) return at + __builtin_ctzll(stop) / 8;
    }
#else
    while (*at >= 0x20) at++;
    return at;
#endif
}

static inline bool read_integer(Cursor c, int64_t *value) {
    bool negative = takes(&c, '-');
    if (c.at == c.end || c.end - c.at > MAX_DIGITS) return false;
    int64_t found = 0;
    for (; c.at < c.end; c.at++) {
        if (!is_digit(*c.at)) return false;
        found = found * 10 + (*c.at - '0');
    }
    *value = negative ? -found : found;
    return true;
}

static inline bool read_moment(Cursor c, int64_t *micros) {
    int64_t seconds;
    int fraction = 0, zone;
    if (!read_seconds(&c, &seconds)) return false;
    if (takes(&c, '.')) {
        if (c.end - c.at < 6 || (fraction = number(c.at, 6)) < 0) return false;
        c.at += 6;
    }
    if (!read_zone(&c, &zone) || c.at != c.end) return false;
    *micros = (seconds - zone * 60) * 1000000 + fraction;
    return true;
}

static inline void view(ArrowView *to, Cursor text, const char *base) {
    size_t length = (size_t)(text.end - text.at);
    to->length = (int32_t)length;
    if (length <= ARROW_INLINE) {
        memset(to->inlined, 0, ARROW_INLINE);
        memcpy(to->inlined, text.at, length);
    } else {
        memcpy(to->prefix, text.at, sizeof to->prefix);
        to->buffer = 0;
        to->offset = (int32_t)((const char *)text.at - base);
    }
}

static inline bool put(Block *block, size_t row, Column column, Cursor text) {
    void *values = block->values[column];
    int64_t number = 0;
    if (text.at == text.end) {
        if (!COLUMN[column].optional) return false;
        block->present[column][row / 8] &= (uint8_t)~(1u << row % 8);
        block->absent[column]++;
    }
    if (is_text(column)) {
        view((ArrowView *)values + row, text, block->text);
        return true;
    }
    if (text.at < text.end && !(column == RAW_TS ? read_moment(text, &number) : read_integer(text, &number)))
        return false;
    if (column != SOURCE) ((int64_t *)values)[row] = number;
    else if (number < 0 || number > UINT16_MAX) return false;
    else ((uint16_t *)values)[row] = (uint16_t)number;
    return true;
}

/* `before`: how many lines were read before. */
static bool read_lines(Block *block, size_t rows, int64_t before) {
    const uint8_t *at = (const uint8_t *)block->text;
    int64_t *lines = (int64_t *)block->values[LINE];
    if (!is_utf8((Cursor){at, at + block->length})) return false;
    for (size_t row = 0; row < rows; row++) {
        lines[row] = before + (int64_t)row;
        for (Column column = SOURCE; column <= SEQUENCE; column++) {
            const uint8_t *end = end_of_column(at);
            if (*end != (column == SEQUENCE ? '\n' : '\t') || !put(block, row, column, (Cursor){at, end})) return false;
            at = end + 1;
        }
    }
    return true;
}

/* The stream */

typedef struct {
    char *path;
    int file;           /* -1 until it is read */
    int64_t lines;      /* that were given */
    char *rest;         /* the begin of a line whose end was not read yet */
    size_t rest_length;
    const char *error;
} Stream;

static int fail(Stream *stream, int number, const char *error) {
    stream->error = error;
    return number;
}

/* Text of whole lines, and behind it zeros that no column goes past; the rest is kept. 0, or an error's number. */
static int read_text(Stream *stream, char **text, size_t *length) {
    size_t had = stream->rest_length, room = had + BLOCK;
    for (;;) {
        char *found = realloc(stream->rest, room + 8);
        if (!found) return fail(stream, ENOMEM, "no memory");
        stream->rest = found;
        ssize_t got = 0;
        while (had < room && (got = read(stream->file, found + had, room - had))) {
            if (got < 0 && errno == EINTR) continue;
            if (got < 0) return fail(stream, errno, "the file cannot be read");
            had += (size_t)got;
        }
        size_t whole = had;
        while (whole && found[whole - 1] != '\n') whole--;
        if (!got && had < room && whole < had) return fail(stream, EINVAL, "the last line has no end");
        if (!whole && had) {
            if (had >= MAX_LINE) return fail(stream, EINVAL, NOT_PLAIN);
            room = had + BLOCK > MAX_LINE ? MAX_LINE : had + BLOCK;
            continue;
        }
        char *rest = NULL;
        if (had > whole) {
            if (!(rest = malloc(had - whole))) return fail(stream, ENOMEM, "no memory");
            memcpy(rest, found + whole, had - whole);
        }
        stream->rest = rest;
        stream->rest_length = had - whole;
        memset(found + whole, 0, 8);
        *text = found;
        *length = whole;
        return 0;
    }
}

static size_t count_lines(const char *at, size_t length) {
    size_t lines = 0;
    for (const char *end = at + length; at < end; lines++) at = (const char *)memchr(at, '\n', (size_t)(end - at)) + 1;
    return lines;
}

static int get_next(struct ArrowArrayStream *self, struct ArrowArray *out) {
    Stream *stream = self->private_data;
    char *text = NULL;
    size_t length = 0;
    out->release = NULL;
    if (stream->file < 0 && (stream->file = open(stream->path, O_RDONLY | O_CLOEXEC)) < 0)
        return fail(stream, errno, "the file cannot be opened");
    int failed = read_text(stream, &text, &length);
    if (failed) return failed;
    if (!length) {
        free(text);
        return 0;
    }
    size_t rows = count_lines(text, length);
    Block *block = new_block(text, length, rows);
    if (!block) {
        free(text);
        return fail(stream, ENOMEM, "no memory");
    }
    if (!read_lines(block, rows, stream->lines)) {
        block->holders = 1;
        let_go(block);
        return fail(stream, EINVAL, NOT_PLAIN);
    }
    give(block, rows, out);
    stream->lines += (int64_t)rows;
    return 0;
}

static void release_schema(struct ArrowSchema *schema) {
    for (int64_t child = 0; child < schema->n_children; child++) {
        struct ArrowSchema *one = schema->children[child];
        if (one->release) one->release(one);
    }
    if (schema->n_children) {
        free(schema->children[0]);
        free(schema->children);
    }
    schema->release = NULL;
}

static void release_nothing(struct ArrowSchema *schema) { schema->release = NULL; }

static int get_schema(struct ArrowArrayStream *self, struct ArrowSchema *out) {
    struct ArrowSchema *columns = calloc(COLUMNS, sizeof *columns), **children = calloc(COLUMNS, sizeof *children);
    if (!columns || !children) {
        free(columns);
        free(children);
        return fail(self->private_data, ENOMEM, "no memory");
    }
    for (Column column = 0; column < COLUMNS; column++) {
        columns[column] = (struct ArrowSchema){
            .format = COLUMN[column].format, .name = COLUMN[column].name,
            .flags = COLUMN[column].optional ? ARROW_FLAG_NULLABLE : 0, .release = release_nothing,
        };
        children[column] = &columns[column];
    }
    *out = (struct ArrowSchema){
        .format = "+s", .name = "", .n_children = COLUMNS, .children = children, .release = release_schema,
    };
    return 0;
}

static const char *get_last_error(struct ArrowArrayStream *self) { return ((Stream *)self->private_data)->error; }

static void release_stream(struct ArrowArrayStream *self) {
    Stream *stream = self->private_data;
    if (stream->file >= 0) close(stream->file);
    free(stream->path);
    free(stream->rest);
    free(stream);
    self->release = NULL;
}

/* For Python */

#define CAPSULE "arrow_array_stream"

static void free_capsule(PyObject *capsule) {
    struct ArrowArrayStream *stream = PyCapsule_GetPointer(capsule, CAPSULE);
    if (!stream) return;
    if (stream->release) stream->release(stream);   /* whoever took it has left it empty */
    free(stream);
}

static PyObject *stream_of(PyObject *Py_UNUSED(module), PyObject *path) {
    if (!PyBytes_Check(path)) {
        PyErr_SetString(PyExc_TypeError, "a path is bytes");
        return NULL;
    }
    struct ArrowArrayStream *made = malloc(sizeof *made);
    Stream *stream = calloc(1, sizeof *stream);
    char *kept = strdup(PyBytes_AsString(path));
    PyObject *capsule = made && stream && kept ? PyCapsule_New(made, CAPSULE, free_capsule) : PyErr_NoMemory();
    if (!capsule) {
        free(made);
        free(stream);
        free(kept);
        return NULL;
    }
    *stream = (Stream){.path = kept, .file = -1};
    *made = (struct ArrowArrayStream){get_schema, get_next, get_last_error, release_stream, stream};
    return capsule;
}

static PyMethodDef module_methods[] = {
    {"stream", stream_of, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "crossfade.core._columns", NULL, 0, module_methods, NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__columns(void) { return PyModuleDef_Init(&module); }
