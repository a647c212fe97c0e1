"""The end of a component's mock: when it may be retired, what is lacking, and what is over.

A retirement takes the mock and the component's three flags away. The flags are kept for a while, in which it can be
undone; then they are purged, and the retirement stays.
"""

from collections.abc import Iterable, Mapping

from msgspec import Struct

from .clock import DAY, MINUTE, SECOND, iso
from .duration import UNITS
from .flag import FlagError, Flags, FlagValue, Stage, own, stage

KEPT = 30 * DAY
"""For how long a retired component's flags are kept, as the guide has it."""


class RetirementError(ValueError):
    """A component cannot be retired, or its retirement not undone. The message says what is lacking."""


class RetiredError(FlagError):
    """A flag cannot be set: its component is retired. The message says how that is undone."""


class ArchivedFlag(Struct, frozen=True, rename="camel"):
    """A flag as it was when its component was retired, and who had changed it last."""

    name: str
    value: FlagValue
    changed_at: int
    changed_by: str

    @property
    def text(self) -> str:
        """The value, as it is written."""
        return str(self.value).lower()


class Retirement(Struct, frozen=True, rename="camel"):
    """A component whose mock is gone. Moments are microseconds since the epoch."""

    component: str
    flag: str
    """Its ``use_real_…``."""
    at: int
    who: str
    reason: str | None
    since: int
    """From when on it had been real only."""
    purged_at: int | None = None
    """When its flags were deleted; None while they are kept."""
    flags: tuple[ArchivedFlag, ...] = ()

    @property
    def until(self) -> int:
        """Until then it can be undone."""
        return self.at + KEPT


class Lack(Struct, frozen=True):
    """Something without which a component is not retired."""

    words: str
    of_time: bool = False
    """Whether it comes with time: somebody may not want to wait for it."""


class Prospect(Struct, frozen=True):
    """What would become of a component if it were retired at this moment."""

    flag: str
    since: int | None
    """From when on it has been real only; None if it is not."""
    lacks: tuple[Lack, ...]
    flags: tuple[ArchivedFlag, ...]
    """What would be archived."""


def real_only_since(flags: Flags, changed_at: Mapping[str, int], flag: str) -> int | None:
    """From when on the component has been real for every viewer, with no stand-in; None if it is not.

    ``changed_at``: when each flag got the value that it has.
    """
    if stage(flags, flag) is not Stage.REAL_ONLY:
        return None
    use_real, percent, _ = own(flag)
    return max(changed_at.get(name, 0) for name in (use_real, percent, "fallback_on_error"))


def lacking(flags: Flags, flag: str, since: int | None, now: int, wait: int) -> tuple[Lack, ...]:
    """All that keeps the component with this ``use_real_…`` flag from being retired.

    =================== ==========================================
    there is            lacking
    =================== ==========================================
    use_real off        the flag
    percent below 100   the share
    fallback on         the flag
    any of these        the time too, whole: it has not begun
    real only, too new  the rest of the time
    =================== ==========================================

    ``since``: as `real_only_since` has it; ``wait``: how long it must have been so, in microseconds.
    """
    _, percent, _ = own(flag)
    found = (
        (not flags[flag], f"{flag} is off"),
        (flags[percent] != 100, f"{percent} is {flags[percent]} %, not 100 %"),
        (flags.fallback_on_error, "fallback_on_error is on"),
    )
    lacks = [Lack(words) for holds, words in found if holds]
    if since is None and wait > 0:
        lacks.append(Lack(f"from then on it must be real only for {span(wait)}", of_time=True))
    elif since is not None and now - since < wait:
        so_far = f"for {span(now - since)}" if now >= since else "from a moment in the future on"
        lacks.append(Lack(f"it has been real only {so_far}, since {to_second(since)}: it must be for {span(wait)}, "
                          f"until {to_second(since + wait)}", of_time=True))
    return tuple(lacks)


def refusal(component: str, lacks: Iterable[Lack], *, despite: str | None) -> str | None:
    """Why the component is not retired, with all that is lacking; None if nothing is, or what is was waived."""
    left = [lack.words for lack in lacks if not (lack.of_time and despite)]
    if not left:
        return None
    return f"{component} cannot be retired: {'; '.join(left)}"


def why(ahead: Prospect, reason: str | None, despite: str | None) -> str | None:
    """The reason of a retirement, with what was lacking and why that did not matter."""
    waived = "; ".join(lack.words for lack in ahead.lacks if lack.of_time)
    parts = (reason, f"despite that {waived}: {despite}" if waived and despite else None)
    return "; ".join(part for part in parts if part) or None


def obstacle(found: Retirement, now: int) -> str | None:
    """Why a retirement cannot be undone; None if it can."""
    if found.purged_at is None and now < found.until:
        return None
    gone = "are kept no longer" if found.purged_at is None else f"were purged on {to_second(found.purged_at)}"
    return (f"{found.component} was retired on {to_second(found.at)}, and its flags {gone}: it is real for good. "
            "Mend its real source, or declare a component of another name that has a mock")


def of_flag(name: str, found: Retirement, now: int) -> str:
    """Why the flag of a retired component cannot be set."""
    undo = f"undo with `crossfade retire --undo {found.component}`" if obstacle(found, now) is None else \
        "its flags are kept no longer: it is real for good"
    return f"{name} cannot be set: {found.component} was retired on {to_second(found.at)}, {undo}"


def due(retirements: Iterable[Retirement], now: int) -> tuple[Retirement, ...]:
    """Those of which the flags are to be purged."""
    return tuple(one for one in retirements if one.purged_at is None and now >= one.until)


def to_second(moment: int) -> str:
    """The moment as ISO 8601, cut to the second."""
    return iso(moment // SECOND * SECOND)


def span(microseconds: int) -> str:
    """For people: its two greatest units, cut below a minute; ``6 d 23 h``."""
    left, parts = max(0, microseconds), []
    for unit, size in UNITS.items():
        if size >= MINUTE and left >= size:
            parts.append(f"{left // size} {unit}")
            left %= size
    return " ".join(parts[:2]) or "less than a minute"


def shown(flags: Iterable[ArchivedFlag]) -> str:
    """The flags with their values, as they are written."""
    return ", ".join(f"{flag.name}={flag.text}" for flag in flags)
