"""The keys of a series' rows: which are wrong, and which days are left out."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from operator import lt
from typing import cast

from .clock import EPOCH


@dataclass(frozen=True, slots=True)
class Days:
    """What was found of a series of days."""

    wrong: dict[int, str]
    """Why a row's day is wrong, by the row's number."""
    missing: int
    """Days left out between two others."""


def unique(keys: Sequence[object]) -> dict[int, str]:
    """The rows whose key came before. What is no text is left to the check of its field."""
    seen = set[str]()
    wrong = {}
    for number, key in enumerate(keys):
        if isinstance(key, str):
            if key in seen:
                wrong[number] = "comes twice"
            seen.add(key)
    return wrong


def daily(keys: Sequence[object], now: int) -> Days:
    """Every day once, in order, the last one today at the latest: today in the earliest zone, a day ahead of UTC."""
    days = [*map(_day_told, cast("Sequence[str]", keys))] if _all_short(keys) else [*map(_day, keys)]
    latest = _day_after(now)
    ordered = [day for day in days if day is not None]
    if ordered and len(ordered) == len(days) and ordered[-1] <= latest and all(map(lt, ordered, ordered[1:])):
        return Days({}, (ordered[-1] - ordered[0]).days + 1 - len(ordered))
    return _one_by_one(days, latest)


def _one_by_one(days: Sequence[date | None], latest: date) -> Days:
    wrong: dict[int, str] = {}
    missing = 0
    before: date | None = None
    for number, day in enumerate(days):
        if day is None:
            wrong[number] = "no day"
        elif day > latest:
            wrong[number] = "lies in the future"
        elif before is not None and day <= before:
            wrong[number] = "comes twice" if day == before else "comes after a later day"
        else:
            missing += 0 if before is None else (day - before).days - 1
            before = day
    return Days(wrong, missing)


def _all_short(keys: Sequence[object]) -> bool:
    """Whether all are texts as long as a day is written: no others are worth to be remembered."""
    return set(map(type, keys)) == {str} and set(map(len, cast("Sequence[str]", keys))) == {10}


def _day(key: object) -> date | None:
    """``2026-11-23``, or a date."""
    if isinstance(key, str):
        return _read(key)
    return key if isinstance(key, date) and not isinstance(key, datetime) else None


def _read(text: str) -> date | None:
    # Python also takes other forms of ISO 8601, which no reader of the API expects.
    if len(text) != 10 or text[4] != "-" or text[7] != "-":
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


@lru_cache(maxsize=8_192)
def _day_told(text: str) -> date | None:
    """As ``_read``; the same days come again and again."""
    return _read(text)


def _day_after(now: int) -> date:
    try:
        return (EPOCH + timedelta(microseconds=now, days=1)).date()
    except OverflowError:  # a clock beyond the calendar
        return date.max if now > 0 else date.min
