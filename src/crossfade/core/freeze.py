"""When nothing is stepped forward: at night, on a Friday. Soaking and going back are never frozen."""

import re
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from msgspec import Struct

from .clock import EPOCH, micros

WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")


class Freeze(Struct, frozen=True, forbid_unknown_fields=True):
    """A span of local time on some days of the week. Raises ValueError if it can be none."""

    days: tuple[str, ...] = WEEK
    """On which it begins."""
    start: str = "00:00"
    end: str = "00:00"
    """Excluded. At or before the start it is that time of the next day."""
    zone: str = "UTC"

    def __post_init__(self) -> None:
        unknown = next((day for day in self.days if day not in WEEK), None)
        if unknown is not None or not self.days:
            raise ValueError(f"{unknown or 'nothing'!r} is no day of the week; there are: {', '.join(WEEK)}")
        for told in (self.start, self.end):
            if not _TIME.fullmatch(told):
                raise ValueError(f"{told!r} is no time of day: write it as '22:00'")
        try:
            ZoneInfo(self.zone)
        except (OSError, ValueError, LookupError):
            raise ValueError(f"{self.zone!r} is no time zone: write it as 'Europe/Berlin'") from None

    def covers(self, now: int) -> bool:
        """Whether the moment lies within."""
        local = (EPOCH + timedelta(microseconds=now)).astimezone(ZoneInfo(self.zone))
        minute, today = 60 * local.hour + local.minute, local.weekday()
        start, end = _minute(self.start), _minute(self.end)
        if start < end:
            return WEEK[today] in self.days and start <= minute < end
        return (WEEK[today] in self.days and minute >= start) or (WEEK[today - 1] in self.days and minute < end)

    @property
    def words(self) -> str:
        """The window, as people read it."""
        days = "every day" if set(self.days) == set(WEEK) else ", ".join(self.days)
        return f"{days} {self.start} to {self.end} ({self.zone})"


def endless(freezes: Sequence[Freeze]) -> bool:
    """Whether they cover every moment together. Where there is a gap, it begins as one of them ends."""
    return bool(freezes) and all(any(each.covers(end) for each in freezes) for one in freezes for end in _ends(one))


def _ends(freeze: Freeze) -> Iterator[int]:
    """In a week of winter and one of summer, since zones change their clocks at different times."""
    zone, end = ZoneInfo(freeze.zone), time.fromisoformat(freeze.end)
    for monday in (date(2026, 1, 5), date(2026, 7, 6)):
        yield from (micros(datetime.combine(monday + timedelta(day), end, zone)) for day in range(len(WEEK)))


def _minute(told: str) -> int:
    return 60 * int(told[:2]) + int(told[3:])
