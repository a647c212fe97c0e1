"""Which day a moment belongs to, in the one time zone that a day is counted in."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from .clock import EPOCH, micros


class Days:
    """The calendar of a time zone: a day may last 23, 24 or 25 hours."""

    def __init__(self, zone: str = "UTC") -> None:
        self.zone = zone
        self._info = ZoneInfo(zone)

    def of(self, moment: int) -> date:
        """The day that holds the moment."""
        return (EPOCH + timedelta(microseconds=moment)).astimezone(self._info).date()

    def start(self, day: date) -> int:
        """The first moment of the day: midnight, or what the zone has in its place."""
        return micros(datetime(day.year, day.month, day.day, tzinfo=self._info))

    def bounds(self, day: date) -> tuple[int, int]:
        """The half-open span ``[start, end)`` of the day."""
        return self.start(day), self.start(day + timedelta(days=1))

    def between(self, first: date, last: date) -> Iterator[date]:
        """Every day from the first to the last, both included."""
        for offset in range((last - first).days + 1):
            yield first + timedelta(days=offset)
