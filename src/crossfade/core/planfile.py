"""A plan as TOML: read with every complaint at its line, written, and the one that there is without any."""

import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping

import msgspec
from msgspec import Struct

from .duration import parse as duration
from .duration import shown
from .flag import ALL
from .freeze import Freeze
from .gate import Gate
from .plan import Phase, Place, Plan, complaints

LARGEST = 32_768
"""Characters of a plan."""
COMPONENTS = ("businessMetrics", "systemMetrics", "infrastructureMetrics", "historicalData")

_SPANS = frozenset({"soak", "deadline", "window"})
_LONGEST_STATEMENT = 100
"""Lines. What follows a longer one is told without its line."""
_SYNTAX_LINE = re.compile(r" \(at line (\d+), column \d+\)$")
_INVALID_PLACE = re.compile(r" - at `\$(.*)`$")
_UNKNOWN = re.compile(r"unknown field `(\w+)`")


class Problem(Struct, frozen=True):
    """What is to be mended in a plan."""

    line: int | None
    """From 1; None where there is none to name."""
    message: str

    def __str__(self) -> str:
        return self.message if self.line is None else f"line {self.line}: {self.message}"


def parse(text: str, flags: Iterable[str] = ALL, components: Iterable[str] = COMPONENTS) -> Plan | tuple[Problem, ...]:
    """The plan, or all that is wrong with it, by line. Never raises."""
    if len(text) > LARGEST:
        return (Problem(None, f"a plan has at most {LARGEST:,} characters"),)
    try:
        written: dict[str, object] = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        return (_syntax(error),)
    found = list(_misspelt(written))
    if not found:
        plan = msgspec.convert(written, Plan)
        found = complaints(plan, flags, components)
        if not found:
            return plan
    lines = _lines(text)
    problems = (Problem(_line(lines, place), message) for place, message in found)
    return tuple(sorted(problems, key=lambda problem: problem.line or 0))


def write(plan: Plan) -> str:
    """The plan as TOML that `parse` reads as the same plan."""
    parts = [f"name = {_value(plan.name)}\n", *_tables("freeze", plan.freeze)]
    for phase in plan.phases:
        raw: dict[str, object] = msgspec.to_builtins(phase)
        inner = {name: raw.pop(name) for name in ("set", "gates", "freeze") if name in raw}
        switches = inner["set"]
        parts.append(_table("[[phases]]", raw))
        if isinstance(switches, Mapping):
            parts.append(_table("[phases.set]", switches))
        parts += _tables("phases.gates", phase.gates)
        parts += _tables("phases.freeze", phase.freeze)
    return "\n".join(parts)


def _tables(name: str, items: Iterable[Gate | Freeze]) -> Iterator[str]:
    return (_table(f"[[{name}]]", msgspec.to_builtins(item)) for item in items)


def _table(head: str, values: Mapping[str, object]) -> str:
    rows = (f"{key} = {_value(shown(value) if key in _SPANS and isinstance(value, int) else value)}"
            for key, value in values.items() if value is not None)
    return "\n".join((head, *rows)) + "\n"


def _value(value: object) -> str:
    # JSON writes text, lists, numbers and booleans as TOML does, but for one control character that TOML wants escaped.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")


def _syntax(error: Exception) -> Problem:
    message = str(error)
    found = _SYNTAX_LINE.search(message)
    return Problem(int(found[1]) if found else None, f"this is no TOML: {_SYNTAX_LINE.sub('', message)}")


def _misspelt(written: dict[str, object]) -> Iterator[tuple[Place, str]]:
    """What has no form that a plan could have; durations become microseconds on the way."""
    for index, phase in _items(written, "phases"):
        where: Place = ("phases", index)
        yield from _spans(phase, where)
        for name, model in (("gates", Gate), ("freeze", Freeze)):
            for number, item in _items(phase, name):
                yield from _spans(item, (*where, name, number))
                yield from _invalid(item, model, (*where, name, number))
        yield from _invalid(_without_items(phase, "gates", "freeze"), Phase, where)
    for number, item in _items(written, "freeze"):
        yield from _invalid(item, Freeze, ("freeze", number))
    yield from _invalid(_without_items(written, "phases", "freeze"), Plan, ())


def _items(table: Mapping[str, object], name: str) -> Iterator[tuple[int, dict[str, object]]]:
    items = table.get(name)
    if isinstance(items, list):
        yield from ((index, item) for index, item in enumerate(items) if isinstance(item, dict))


def _without_items(table: Mapping[str, object], *names: str) -> dict[str, object]:
    """The table with no tables in its lists of these names: they are looked at by themselves."""
    def looked_at(name: str, value: object) -> bool:
        return name in names and isinstance(value, list) and all(isinstance(item, dict) for item in value)

    return {name: [] if looked_at(name, value) else value for name, value in table.items()}


def _spans(table: dict[str, object], where: Place) -> Iterator[tuple[Place, str]]:
    for name in sorted(_SPANS & table.keys()):
        value, table[name] = table[name], 1
        try:
            table[name] = duration(value if isinstance(value, str) else repr(value))
        except ValueError as error:
            yield (*where, name), str(error)


def _invalid(table: Mapping[str, object], model: type[Struct], where: Place) -> Iterator[tuple[Place, str]]:
    try:
        msgspec.convert(table, model)
    except msgspec.ValidationError as error:
        message = str(error)
        place, unknown = _INVALID_PLACE.search(message), _UNKNOWN.search(message)
        inner = re.findall(r"\.(\w+)", place[1]) if place else [unknown[1]] if unknown else []
        said = _INVALID_PLACE.sub("", message)
        yield (*where, *inner), f"{inner[0]}: {said}" if inner and not unknown else said


def _lines(text: str) -> dict[Place, int]:
    """At which line each table and key of a sound text begins.

    A statement of TOML is TOML by itself, so that it ends at the first line up to which it can be read.
    """
    found: dict[Place, int] = {}
    head: Place = ()
    statement, begin = "", 1
    for number, row in enumerate(text.split("\n"), 1):
        if not statement:
            begin = number
        statement += row + "\n"
        if number - begin > _LONGEST_STATEMENT:
            break
        try:
            said: dict[str, object] = tomllib.loads(statement)
        except ValueError:
            continue
        if statement.lstrip().startswith("["):
            head = _head(said, found)
            found[head] = begin
        else:
            for place in _keys(said):
                found.setdefault((*head, *place), begin)
        statement = ""
    return found


def _head(said: Mapping[str, object], found: Mapping[Place, int]) -> Place:
    """The place of a table's head, in the newest of each list of tables that it lies in."""
    place: Place = ()
    value: object = said
    while isinstance(value, Mapping) and value:
        name, value = next(iter(value.items()))
        place = (*place, str(name))
        count = sum(1 for other in found if len(other) == len(place) + 1 and other[:-1] == place
                    and isinstance(other[-1], int))
        if isinstance(value, list):
            return (*place, count)
        if count:
            place = (*place, count - 1)
    return place


def _keys(said: object) -> Iterator[Place]:
    if isinstance(said, Mapping):
        for name, value in said.items():
            yield (str(name),)
            yield from ((str(name), *rest) for rest in _keys(value))


def _line(lines: Mapping[Place, int], place: Place) -> int | None:
    """Of the place, or of the nearest that holds it."""
    return next((lines[place[:end]] for end in range(len(place), -1, -1) if place[:end] in lines), None)


def _guide(name: str, flag: str, component: str) -> str:
    return f'''
[[phases]]
name = "{name}"
soak = "5 min"
deadline = "2 h"

[phases.set]
{flag} = true

[[phases.gates]]
figure = "quality.quality"
component = "{component}"
least = 95
judged = "at_end"
'''


DEFAULT = f'''# The guide's Phase 5, with a phase for the infrastructure before nothing stands in any more.
name = "phase-5"
{_guide("5A business", "use_real_business_metrics", "businessMetrics")}{
_guide("5B system", "use_real_system_metrics", "systemMetrics")}{
_guide("5C history", "use_real_historical_data", "historicalData")}{
_guide("infrastructure", "use_real_infrastructure_metrics", "infrastructureMetrics")}
[[phases]]
name = "5D without fallback"
soak = "10 min"
deadline = "2 h"
needs = ["use_real_business_metrics", "use_real_system_metrics", "use_real_historical_data"]

[phases.set]
fallback_on_error = false

[[phases.gates]]
figure = "live.system.errorRate"
most = 1
judged = "at_end"
'''
"""The plan of who has written none."""
