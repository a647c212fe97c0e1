"""What must hold between the values of a payload, declared with its model as ``CHECKS``.

Fields go by their names in Python. A rule is a declaration; ``core/check.py`` applies it.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AtMost:
    """One number is never above another of the same struct."""

    field: str
    other: str


@dataclass(frozen=True, slots=True)
class Monotone:
    """A counter of the payload itself that never falls from one reading to the next of the same run."""

    field: str


@dataclass(frozen=True, slots=True)
class OnlyIf:
    """What can only be known where another count is not 0: without a request there is no response time to expect."""

    field: str
    other: str


@dataclass(frozen=True, slots=True)
class Voluntary:
    """What may be unknown without anything being amiss, and is expected only where it is known."""

    field: str


@dataclass(frozen=True, slots=True)
class Unique:
    """No two rows of a series have the same key. The key names its row; it is no value of its own."""

    field: str


@dataclass(frozen=True, slots=True)
class OneRowADay:
    """A series has a row for every day, oldest first, none twice, none in the future. The day names its row.

    A day that is left out between two others is a gap. Rows of unknown values at the beginning are none: they are
    from before anything was collected.
    """

    field: str


Rule = AtMost | Monotone | OnlyIf | Voluntary | Unique | OneRowADay
