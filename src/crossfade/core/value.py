"""One value against what its field is declared to be: type, range, unit, length, pattern."""

import datetime
import decimal
import math
import operator
import re
import uuid
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeGuard, cast

from msgspec import UNSET
from msgspec import inspect as kinds

Judge = Callable[[object], str | None]
"""Says in a few words why a value is not what it should be; None if it is. Never raises."""

LONGEST_TEXT = 10_000
"""Characters of a text whose field names no limit of its own."""
_SHOWN = 40
_LARGEST = 2**63

_CLASSES: dict[type[kinds.Type], tuple[type, ...]] = {
    kinds.BoolType: (bool,),
    kinds.BytesType: (bytes,),
    kinds.ByteArrayType: (bytearray,),
    kinds.DateTimeType: (datetime.datetime,),
    kinds.DateType: (datetime.date,),
    kinds.TimeType: (datetime.time,),
    kinds.TimeDeltaType: (datetime.timedelta,),
    kinds.UUIDType: (uuid.UUID,),
    kinds.DecimalType: (decimal.Decimal,),
}


def judge_of(kind: kinds.Type, unit: str = "") -> Judge:
    """The judge of one plain value. A kind that is not looked into is judged by its class alone, or not at all."""
    judge: Judge
    match kind:
        case kinds.Metadata():
            told = (kind.extra or {}).get("unit", unit)
            judge = judge_of(kind.type, told if isinstance(told, str) else unit)
        case kinds.IntType() | kinds.FloatType():
            judge = _number(kind, unit)
        case kinds.StrType():
            judge = _text(kind)
        case kinds.UnionType():
            judge = _either([judge_of(member, unit) for member in kind.types])
        case kinds.LiteralType():
            judge = _one_of(kind.values)
        case kinds.EnumType() | kinds.DataclassType() | kinds.NamedTupleType() | kinds.CustomType():
            judge = _instance((kind.cls,))
        case _:
            judge = _instance(_CLASSES.get(type(kind), (object,)))
    return judge


def short(value: object) -> str:
    """A value as a line of at most 40 characters, whatever it is."""
    match value:
        case None:
            return "null"
        case bool() | float():
            return repr(value)
        case int():
            # Python refuses to write out a number of more than a few thousand digits.
            return str(value) if value.bit_length() < 128 else "a number of more than 38 digits"
        case str() | datetime.date() | decimal.Decimal() | uuid.UUID():
            return clip(value if isinstance(value, str) else str(value), _SHOWN)
        case _:
            return "unset" if value is UNSET else clip(type(value).__name__, _SHOWN)


def clip(text: str, length: int) -> str:
    """The text as one printable line of at most so many characters."""
    line = "".join(char if char.isprintable() else " " for char in text[:length + 1])
    return line if len(line) <= length else line[:length - 1] + "…"


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether it is a finite int or float; a bool is none."""
    return type(value) is int or (type(value) is float and math.isfinite(value))


def _number(kind: kinds.IntType | kinds.FloatType, unit: str) -> Judge:
    whole = isinstance(kind, kinds.IntType)
    wanted = "no whole number" if whole else "no number"
    # Nearly every value lies between these and needs no further look.
    low = -_LARGEST if kind.ge is None else kind.ge
    high = _LARGEST - 1 if kind.le is None else kind.le
    plain = kind.gt is kind.lt is kind.multiple_of is None
    limits = _limits(kind, f" {unit}" if unit else "")

    def judge(value: object) -> str | None:
        if not (type(value) is int or (type(value) is float and not whole)):
            return wanted
        if plain and low <= value <= high:
            return None
        return next((reason for broken, reason in limits if broken(value)), None)

    return judge


def column_of(kind: kinds.Type) -> Callable[[Sequence[object]], bool] | None:
    """Whether all of many whole numbers are fine, where no more than a least and a most is said of them."""
    if not isinstance(kind, kinds.IntType) or not kind.gt is kind.lt is kind.multiple_of is None:
        return None
    low = -_LARGEST if kind.ge is None else kind.ge
    high = _LARGEST - 1 if kind.le is None else kind.le

    def all_valid(values: Sequence[object]) -> bool:
        if set(map(type, values)) - {int}:
            return False
        numbers = cast("Sequence[int]", values)
        return not numbers or (low <= min(numbers) and max(numbers) <= high)

    return all_valid


def _limits(kind: kinds.IntType | kinds.FloatType, unit: str) -> list[tuple[Callable[[float], object], str]]:
    """What a number must not be, each with the words for it."""
    limits: list[tuple[Callable[[float], object], str]] = [
        (lambda value: value != value, "not a number"),  # noqa: PLR0124 - so is NaN alone
        (lambda value: value in {math.inf, -math.inf}, "not finite"),
        (lambda value: type(value) is int and abs(value) >= _LARGEST, "larger than a number can be"),
    ]
    for bound, broken, words in (
        (kind.ge, operator.lt, "below"), (kind.le, operator.gt, "above"),
        (kind.gt, operator.le, "not above"), (kind.lt, operator.ge, "not below"),
        (kind.multiple_of, operator.mod, "no multiple of"),
    ):
        if bound is not None:
            limits.append((partial(_swap, broken, bound), f"{words} {bound:,}{unit}"))
    return limits


def _swap(broken: Callable[[float, float], object], bound: float, value: float) -> object:
    return broken(value, bound)


def _text(kind: kinds.StrType) -> Judge:
    least = kind.min_length or 0
    most = LONGEST_TEXT if kind.max_length is None else kind.max_length
    search = re.compile(kind.pattern).search if kind.pattern is not None else None

    def judge(value: object) -> str | None:
        if type(value) is not str:
            return "no text"
        if not least <= len(value) <= most:
            return f"longer than {most:,} characters" if len(value) > most else f"shorter than {least:,} characters"
        if search is not None and not search(value):
            return "not of the form that it should have"
        return None

    return judge


def _either(judges: list[Judge]) -> Judge:
    if len(judges) == 1:
        return judges[0]

    def judge(value: object) -> str | None:
        reasons = [each(value) for each in judges]
        return None if None in reasons else " or ".join(dict.fromkeys(reason for reason in reasons if reason))

    return judge


def _one_of(values: tuple[str | int, ...] | tuple[object, ...]) -> Judge:
    told = clip("none of " + ", ".join(str(value) for value in values), 80)

    def judge(value: object) -> str | None:
        # By type first: 1 and True are equal.
        return None if any(type(value) is type(other) and value == other for other in values) else told

    return judge


def _instance(classes: tuple[type, ...]) -> Judge:
    wanted = f"no {classes[0].__name__}"

    def judge(value: object) -> str | None:
        if not isinstance(value, classes):
            return wanted
        if isinstance(value, decimal.Decimal) and not value.is_finite():
            return "not finite"
        return None

    return judge
