/* A batch of events, read straight from a request's body into lines of the journal, without a Python object an event.

   It takes a batch only if every event in it is a plain one, and leaves whatever is unusual to Python: an id with an
   escape in it, a time with nanoseconds, a field twice. So it may be strict and short: what it must never do is to take
   an event that the careful way refuses, or to write a line that the other writes differently (tests/core/test_batch.py
   holds it to that). What it reads and what it writes is told in event.py and line.py; JSON is RFC 8259's.

   Two passes, since the envelope may tell of the sender's clock behind the events: `read` finds where each event's
   fields lie in the body, `lines` copies them. */

#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030B0000
#include <Python.h>
#include <structmember.h>

#include <stdlib.h>

#include "_event.h"

/* Reading */

/* A batch, as far as it is read. */
typedef struct {
    Event *events;
    size_t count, room;
    int64_t earliest, latest;   /* microseconds since the epoch */
    size_t undated;
    size_t longest;             /* bytes of the longest properties */
    Text items;                 /* the list of events */
    bool no_memory;
} Reading;

static Event *new_event(Reading *r) {
    if (r->count == r->room) {
        size_t room = r->room ? r->room * 2 : 128;
        Event *events = realloc(r->events, room * sizeof *events);
        if (!events) {
            r->no_memory = true;
            return NULL;
        }
        r->events = events;
        r->room = room;
    }
    return &r->events[r->count];
}

static void note(Reading *r, const Event *event) {
    r->count++;
    if (event->texts[PROPERTIES].length > r->longest) r->longest = event->texts[PROPERTIES].length;
    if (!event->moment_length) r->undated++;
    else {
        if (event->micros < r->earliest) r->earliest = event->micros;
        if (event->micros > r->latest) r->latest = event->micros;
    }
}

static bool read_events(Reading *r, Cursor *c) {
    const uint8_t *start = c->at;
    if (!takes(c, '[')) return false;
    if (!takes_token(c, ']')) {
        Next next;
        do {
            Event *event = new_event(r);
            if (!event || !read_event(c, event)) return false;
            note(r, event);
            next = next_item(c, ']');
        } while (next == ANOTHER);
        if (next == WRONG) return false;
    }
    r->items = since(start, c);
    return true;
}

static bool read_envelope(Reading *r, Cursor c) {
    Text key;
    if (!is_utf8(c) || !takes_token(&c, '{')) return false;
    for (;;) {
        if (!read_key(&c, &key)) return false;
        if (is(key, "batch")) {
            if (r->items.length || !read_events(r, &c)) return false;
        } else if (!skip_value(&c, MAX_DEPTH)) return false;
        Next next = next_item(&c, '}');
        if (next == WRONG) return false;
        if (next == LAST) break;
    }
    skip_space(&c);
    return c.at == c.end && r->items.length;
}

/* Writing */

/* What the lines of a batch have in common: the first columns, and the tracker's id, without which no number is told. */
typedef struct {
    Text first, tracker;
} Common;

static Field last_text(const Common *common) { return common->tracker.length ? SEQUENCE : PROPERTIES; }

static size_t size_of(const Reading *r, const Common *common) {
    size_t size = r->count * (common->first.length + common->tracker.length + sizeof "\t\t\t\t\t\t\t\t\n" - 1);
    for (const Event *event = r->events; event < r->events + r->count; event++) {
        size += event->moment_length;
        for (Field field = MESSAGE_ID; field <= last_text(common); field++) size += event->texts[field].length;
    }
    return size;
}

static char *put(char *to, Text text) {
    if (text.length) memcpy(to, text.at, text.length);
    return to + text.length;
}

static char *put_line(char *to, const Event *event, const Common *common) {
    to = put(to, common->first);
    to = put(to, (Text){(const uint8_t *)event->moment, event->moment_length});
    for (Field field = MESSAGE_ID; field <= PROPERTIES; field++) {
        *to++ = '\t';
        to = put(to, event->texts[field]);
    }
    *to++ = '\t';
    to = put(to, common->tracker);
    *to++ = '\t';
    if (last_text(common) == SEQUENCE) to = put(to, event->texts[SEQUENCE]);
    *to++ = '\n';
    return to;
}

/* For Python */

typedef struct {
    PyObject_HEAD
    PyObject *body;     /* which the texts lie in */
    Reading reading;
} Batch;

static void batch_dealloc(PyObject *self) {
    Batch *batch = (Batch *)self;
    PyTypeObject *type = Py_TYPE(self);
    free(batch->reading.events);
    Py_XDECREF(batch->body);
    PyObject_Free(self);
    Py_DECREF(type);
}

static PyObject *batch_lines(PyObject *self, PyObject *args) {
    const Reading *r = &((Batch *)self)->reading;
    Common common;
    const char *first, *tracker;
    Py_ssize_t first_length, tracker_length;
    if (!PyArg_ParseTuple(args, "y#y#:lines", &first, &first_length, &tracker, &tracker_length)) return NULL;
    common.first = (Text){(const uint8_t *)first, (size_t)first_length};
    common.tracker = (Text){(const uint8_t *)tracker, (size_t)tracker_length};
    PyObject *block = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)size_of(r, &common));
    if (!block) return NULL;
    char *to = PyBytes_AsString(block);
    for (const Event *event = r->events; event < r->events + r->count; event++) to = put_line(to, event, &common);
    return block;
}

/* The body with an empty list in the place of its events. */
static PyObject *batch_envelope(PyObject *self, void *Py_UNUSED(closure)) {
    const Batch *batch = (Batch *)self;
    const char *body = PyBytes_AsString(batch->body);
    Py_ssize_t size = PyBytes_Size(batch->body), start = (const char *)batch->reading.items.at - body;
    Py_ssize_t end = start + (Py_ssize_t)batch->reading.items.length;
    PyObject *envelope = PyBytes_FromStringAndSize(NULL, start + 2 + size - end);
    if (!envelope) return NULL;
    char *to = PyBytes_AsString(envelope);
    to = put(to, (Text){(const uint8_t *)body, (size_t)start});
    to = put(to, (Text){(const uint8_t *)"[]", 2});
    put(to, (Text){(const uint8_t *)body + end, (size_t)(size - end)});
    return envelope;
}

static PyMethodDef batch_methods[] = {
    {"lines", batch_lines, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef batch_properties[] = {
    {"envelope", batch_envelope, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef batch_members[] = {
    {"count", T_PYSSIZET, offsetof(Batch, reading.count), READONLY, NULL},
    {"earliest", T_LONGLONG, offsetof(Batch, reading.earliest), READONLY, NULL},
    {"latest", T_LONGLONG, offsetof(Batch, reading.latest), READONLY, NULL},
    {"undated", T_PYSSIZET, offsetof(Batch, reading.undated), READONLY, NULL},
    {"longest", T_PYSSIZET, offsetof(Batch, reading.longest), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot batch_slots[] = {
    {Py_tp_dealloc, batch_dealloc},
    {Py_tp_methods, batch_methods},
    {Py_tp_getset, batch_properties},
    {Py_tp_members, batch_members},
    {0, NULL},
};

static PyType_Spec batch_spec = {
    "crossfade.core._batch.Batch", sizeof(Batch), 0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE, batch_slots,
};

static PyObject *read_batch(PyObject *module, PyObject *body) {
    if (!PyBytes_Check(body)) {
        PyErr_SetString(PyExc_TypeError, "a body is bytes");
        return NULL;
    }
    Reading reading = {.earliest = INT64_MAX, .latest = INT64_MIN};
    const uint8_t *start = (const uint8_t *)PyBytes_AsString(body);
    if (!read_envelope(&reading, (Cursor){start, start + PyBytes_Size(body)})) {
        free(reading.events);
        if (reading.no_memory) return PyErr_NoMemory();
        Py_RETURN_NONE;
    }
    PyObject *type = PyObject_GetAttrString(module, "Batch");
    Batch *batch = type ? PyObject_New(Batch, (PyTypeObject *)type) : NULL;
    Py_XDECREF(type);
    if (!batch) {
        free(reading.events);
        return NULL;
    }
    batch->body = Py_NewRef(body);
    batch->reading = reading;
    return (PyObject *)batch;
}

static int module_exec(PyObject *module) {
    PyObject *type = PyType_FromSpec(&batch_spec);
    int failed = !type || PyModule_AddObjectRef(module, "Batch", type);
    Py_XDECREF(type);
    return failed ? -1 : 0;
}

static PyMethodDef module_methods[] = {
    {"read", read_batch, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, module_exec},
    {0, NULL},
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "crossfade.core._batch", NULL, 0, module_methods, module_slots, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__batch(void) { return PyModuleDef_Init(&module); }
