"""The checks of a payload: how many of its values are expected, present and valid, and what is wrong with the others.

They are declared with the model: type, range and unit of a field by ``Annotated[…, msgspec.Meta(…)]``, what must hold
between values by ``CHECKS``, a tuple of rules. Any msgspec Struct will do, and a tuple of them as a series.
"""

from collections.abc import Sequence
from operator import attrgetter

from msgspec import Struct
from msgspec.structs import replace

from .clock import SECOND, iso
from .payloads import Payload
from .series import daily, unique
from .shape import Field, Inner, Leaf, Many, ModelError, Node, Shape, is_gap, parts, shape_of, slots
from .value import clip, is_number, short

LEAD = SECOND
"""By how much the time of the data may lie ahead of our clock, in microseconds: two clocks never agree quite."""
LATEST = 2**63


class Failure(Struct, frozen=True, rename="camel"):
    """One value that is not what it should be."""

    field: str
    """Where it stands, by the names of the API: ``services[eventStore].latency``."""
    value: str
    """What it is, in at most 40 characters."""
    reason: str
    """Why that is wrong, in words: ``above 100 %``."""


class Findings(Struct, frozen=True, rename="camel"):
    """What was found in a payload. Keys of rows are checked, but are no values of their own."""

    expected: int
    """Values that there should be."""
    present: int
    """Those of them that are known."""
    valid: int
    """Those of them that pass every check."""
    failures: tuple[Failure, ...]


def validate(payload: Payload, as_of: int, now: int, previous: Payload | None = None) -> tuple[Failure, ...]:
    """All that is wrong with a payload. ``previous`` is the one before of the same run, for counters. Never raises."""
    return examine(payload, as_of, now, previous).failures


def examine(payload: Payload, as_of: int, now: int, previous: Payload | None = None) -> Findings:
    """Looks at every value of a payload, and at the time of its data. Never raises.

    A gap (null, unset, or a day that a series leaves out) is expected but not present; null where the model has none
    is a failure as well. Where the time of the data is wrong no value is valid: nobody knows what they are about.
    """
    look = _Look(now)
    try:
        look.payload(payload, previous)
    except ModelError as error:
        look.give_up(payload, str(error))
    except RecursionError:
        look.give_up(payload, "nested too deeply")
    wrong = wrong_time(as_of, now)
    failures = look.failures if wrong is None else [wrong, *look.failures]
    return Findings(look.expected, look.present, look.valid if wrong is None else 0, tuple(failures))


def prepare(model: type[Struct]) -> None:
    """Reads a model's checks before they are needed. Raises ModelError, saying what to mend in the model."""
    waiting, seen = [model], set[type[Struct]]()
    while waiting:
        seen.add(part := waiting.pop())
        waiting += [inner for inner in parts(part) if inner not in seen]


def wrong_time(as_of: int, now: int) -> Failure | None:
    """What is wrong with the time of the data: that it is none, or lies in the future."""
    if type(as_of) is not int or not 0 <= as_of < LATEST:
        return Failure("asOf", short(as_of), "no time")
    if as_of > now + LEAD:
        return Failure("asOf", moment(as_of), f"lies {(as_of - now) / SECOND:,.0f} s in the future")
    return None


def moment(at: int) -> str:
    """ISO 8601, or the number where the calendar ends."""
    try:
        return iso(at)
    except OverflowError:
        return short(at)


class _Look:
    """One look at a payload. Failures are named from within: who looks into a part puts its own name before them."""

    __slots__ = ("_now", "expected", "failures", "present", "valid")

    def __init__(self, now: int) -> None:
        self._now = now
        self.expected = 0
        self.present = 0
        self.valid = 0
        self.failures: list[Failure] = []

    def payload(self, payload: object, previous: object) -> None:
        if isinstance(payload, Struct):
            shape = shape_of(type(payload))
            self._struct(payload, shape)
            if shape.monotone and type(previous) is type(payload):
                self._monotone(payload, previous, shape)
        elif isinstance(payload, tuple):
            self._items(payload, None)
        else:
            self.give_up(payload, "no payload")

    def give_up(self, payload: object, reason: str) -> None:
        """Nothing can be said of a payload but that it is wrong."""
        self.expected = max(1, self.expected)
        self.valid = 0
        self._fail("payload", payload, reason)

    def _struct(self, struct: Struct, shape: Shape) -> None:
        before = len(self.failures)
        for field in shape.values:
            value = getattr(struct, field.name, None)
            node = field.node
            if type(node) is not Leaf:
                self._within(field.label, value, node)
            elif not is_gap(value):
                self._judge(field.label, value, node)
            elif not field.voluntary and (field.only_if is None or getattr(struct, field.only_if, None) != 0):
                self._gap(field.label, value, node)
        for rule in shape.at_most:
            value, other = getattr(struct, rule.field, None), getattr(struct, rule.other, None)
            if is_number(value) and is_number(other) and value > other:
                reason = f"above {shape.labels[rule.other]}, {short(other)}"
                self._break(shape.labels[rule.field], value, reason, before)

    def _monotone(self, payload: Struct, previous: Struct, shape: Shape) -> None:
        for rule in shape.monotone:
            value, last = getattr(payload, rule.field, None), getattr(previous, rule.field, None)
            if is_number(value) and is_number(last) and value < last:
                self._break(shape.labels[rule.field], value, f"below {short(last)}, what it was before", 0)

    def _within(self, label: str, value: object, node: Node) -> None:
        before = len(self.failures)
        self._node(value, node)
        self._name(label, before)

    def _node(self, value: object, node: Node) -> None:
        match node:
            case Leaf() if not is_gap(value):
                self._judge("", value, node)
            case Inner() if isinstance(value, node.model):
                self._struct(value, shape_of(type(value)))
            case Many() if isinstance(value, list | tuple | set | frozenset | dict):
                self._many(value, node)
            case _ if is_gap(value):
                self._gap("", value, node)
            case _:
                self.expected += 1
                self.present += 1
                self._fail("", value, "no " + (node.model.__name__ if isinstance(node, Inner) else "list"))

    def _many(self, value: "Sequence[object] | set[object] | frozenset[object] | dict[object, object]",
              node: Many) -> None:
        if len(value) < node.least or (node.most is not None and len(value) > node.most):
            self._fail("", value, f"has {len(value):,} parts")
        if isinstance(value, dict):
            for key, part in value.items():
                self._within(f"[{short(key)}]", part, node.item)
        else:
            self._items(tuple(value), node.item)

    def _items(self, items: Sequence[object], node: Node | None) -> None:
        """The parts of a collection: rows of a series, or plain values. Without a node the first part tells."""
        if not items:
            return
        first = items[0]
        if isinstance(node, Inner):
            self._rows(items, shape_of(node.model))
        elif node is not None:
            for number, item in enumerate(items):
                self._within(f"[{number}]", item, node)
        elif isinstance(first, Struct):
            self._rows(items, shape_of(type(first)))
        else:
            self.give_up(first, "no row of a series")

    def _rows(self, rows: Sequence[object], shape: Shape) -> None:
        if shape.by_day:
            rows = rows[_beginning(rows, shape.values):]
        keys = self._keys(rows, shape)
        if not keys and self._columns(rows, shape):
            return
        for number, row in enumerate(rows):
            before, valid = len(self.failures), self.valid
            if type(row) is not shape.model:
                self.expected += (size := slots(shape.model))
                self.present += size
                self._fail("", row, f"no {shape.model.__name__}")
            else:
                self._struct(row, shape)
            if number in keys:
                # Nobody knows what the values of such a row belong to.
                self.valid = valid
                self._fail("", getattr(row, shape.key.name, None) if shape.key else None, keys[number])
            if len(self.failures) > before:
                self._name(_row_name(row, number, shape), before)

    def _columns(self, rows: Sequence[object], shape: Shape) -> bool:
        """Looks at whole columns at once; False if anything is unusual, to be found row by row."""
        if shape.at_most or set(map(type, rows)) != {shape.model}:
            return False
        known = excused = 0
        for field in shape.values:
            node = field.node
            if not isinstance(node, Leaf) or node.all_valid is None:
                return False
            column = list(map(attrgetter(field.name), rows))
            values = [value for value in column if value is not None]
            if (len(values) < len(column) and not node.optional) or not node.all_valid(values):
                return False
            known += len(values)
            if field.voluntary:
                excused += len(column) - len(values)
            elif field.only_if is not None:
                others = map(attrgetter(field.only_if), rows)
                excused += sum(value is None and other == 0 for value, other in zip(column, others, strict=True))
        self.expected += len(rows) * len(shape.values) - excused
        self.present += known
        self.valid += known
        return True

    def _keys(self, rows: Sequence[object], shape: Shape) -> dict[int, str]:
        """What is wrong with the rows' keys; the days that are left out are counted as gaps."""
        if shape.key is None:
            return {}
        node = shape.key.node
        values = [getattr(row, shape.key.name, None) for row in rows]
        if shape.by_day:
            days = daily(values, self._now)
            if days.missing:
                self.expected += days.missing * slots(shape.model)
            return days.wrong
        judged = {}
        if isinstance(node, Leaf):
            judged = {number: reason for number, value in enumerate(values) if (reason := node.judge(value))}
        return {**judged, **unique(values)}

    def _judge(self, label: str, value: object, node: Leaf) -> None:
        self.expected += 1
        self.present += 1
        reason = node.judge(value)
        if reason is None:
            self.valid += 1
        else:
            self._fail(label, value, reason)

    def _gap(self, label: str, value: object, node: Node) -> None:
        self.expected += max(1, slots(node.model)) if isinstance(node, Inner) else 1
        if value is None and not node.optional:
            self._fail(label, value, "missing")

    def _break(self, label: str, value: object, reason: str, before: int) -> None:
        """A rule is broken: the value is invalid, if it was not so already by itself."""
        if all(failure.field != label for failure in self.failures[before:]):
            self.valid -= 1
        self._fail(label, value, reason)

    def _fail(self, label: str, value: object, reason: str) -> None:
        self.failures.append(Failure(label, short(value), reason))

    def _name(self, outer: str, before: int) -> None:
        """Puts the name of the part before the failures that were found in it."""
        for number in range(before, len(self.failures)):
            failure = self.failures[number]
            inner = failure.field
            dot = "." if inner and not inner.startswith("[") and outer else ""
            self.failures[number] = replace(failure, field=clip(f"{outer}{dot}{inner}", 120))


def _beginning(rows: Sequence[object], fields: Sequence[Field]) -> int:
    """The first row with any value; 0 if there is none."""
    names = [field.name for field in fields]
    return next((
        number for number, row in enumerate(rows) if any(not is_gap(getattr(row, name, None)) for name in names)
    ), 0)


def _row_name(row: object, number: int, shape: Shape) -> str:
    key = getattr(row, shape.key.name, None) if shape.key else None
    return f"[{short(key)}]" if isinstance(key, str) and key else f"[{number}]"
