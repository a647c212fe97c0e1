/* The Arrow C data interface and C stream interface: https://arrow.apache.org/docs/format/CDataInterface.html. */

#pragma once

#include <stdint.h>

#define ARROW_FLAG_NULLABLE 2

struct ArrowSchema {
    const char *format, *name, *metadata;
    int64_t flags, n_children;
    struct ArrowSchema **children, *dictionary;
    void (*release)(struct ArrowSchema *);
    void *private_data;
};

struct ArrowArray {
    int64_t length, null_count, offset, n_buffers, n_children;
    const void **buffers;
    struct ArrowArray **children, *dictionary;
    void (*release)(struct ArrowArray *);
    void *private_data;
};

struct ArrowArrayStream {
    int (*get_schema)(struct ArrowArrayStream *, struct ArrowSchema *);
    int (*get_next)(struct ArrowArrayStream *, struct ArrowArray *);
    const char *(*get_last_error)(struct ArrowArrayStream *);
    void (*release)(struct ArrowArrayStream *);
    void *private_data;
};

/* A text in a column of the format "vu": within itself when it is short, else where it lies in one of the buffers. */
#define ARROW_INLINE 12
typedef struct {
    int32_t length;
    union {
        char inlined[ARROW_INLINE];
        struct {
            char prefix[4];
            int32_t buffer, offset;
        };
    };
} ArrowView;
