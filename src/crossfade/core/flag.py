"""The switches: which source a viewer's reading of a component comes from, whether a mock may stand in.

A component ``X`` has three: ``use_real_X``; ``percent_X``, the share of the viewers that get the real source while it
is on; and ``shadow_X``, whether the source that is not shown is read in the background.
"""

from collections.abc import Collection, Iterable, Mapping
from enum import StrEnum
from zlib import crc32

from msgspec import Struct

from .reading import Reason

BUILT_IN = (
    "use_real_business_metrics",
    "use_real_system_metrics",
    "use_real_historical_data",
    "use_real_infrastructure_metrics",
    "fallback_on_error",
    "log_data_sources",
)
"""The guide's six, in its order. The environment seeds them by these names."""

USE_REAL, PERCENT, SHADOW = "use_real_", "percent_", "shadow_"
ON_BY_DEFAULT = frozenset({"fallback_on_error"})

FlagValue = bool | int
"""On or off, or a percentage."""

_TRUE = frozenset({"true", "1", "yes", "on"})
_FALSE = frozenset({"false", "0", "no", "off"})
_BUCKETS = 10_000


class FlagError(ValueError):
    """A flag's name or value is not one that Crossfade knows. The message says which are."""


class Flags(Struct, frozen=True):
    """All flags at one moment."""

    values: Mapping[str, FlagValue]
    revision: int = 0
    """The number of the audit row that tells of the last change; 0 where nothing keeps account."""
    retired: frozenset[str] = frozenset()
    """The ``use_real_…`` flags of components whose mock is gone for good: they are real, whatever the values say."""

    def __getitem__(self, name: str) -> FlagValue:
        if self.is_retired(name):
            return 100 if name.startswith(PERCENT) else name.startswith(USE_REAL)
        return self.values.get(name, default(name))

    def is_retired(self, name: str) -> bool:
        """Whether it is one of the three flags of a retired component, which nobody can set."""
        return any(name in own(flag) for flag in self.retired)

    @property
    def fallback_on_error(self) -> bool:
        return bool(self["fallback_on_error"])

    @property
    def log_data_sources(self) -> bool:
        return bool(self["log_data_sources"])


class Evaluation(Struct, frozen=True):
    """What the flags say about one viewer's reading."""

    real: bool
    """Whether it comes from the real source."""
    reason: Reason
    """``FLAG``, or ``RAMP`` while only a share of the viewers gets the real source."""


class Stage(StrEnum):
    """How far a component is, by its flags."""

    MOCK = "mock"
    SHADOW = "shadow"
    RAMPING = "ramping"
    LIVE = "live"
    REAL_ONLY = "real only"
    """Live, and nothing may stand in."""
    RETIRED = "retired"
    """Real for good: there is no mock any more."""


_FLAG = (Evaluation(False, Reason.FLAG), Evaluation(True, Reason.FLAG))
_RAMP = (Evaluation(False, Reason.RAMP), Evaluation(True, Reason.RAMP))


def evaluate(flags: Flags, flag: str, viewer: str | None = None) -> Evaluation:
    """Which source a viewer's reading of the component with this ``use_real_…`` flag comes from.

    ======== ======= ================== =====================
    use_real percent viewer             source
    ======== ======= ================== =====================
    retired  –       –                  the real (FLAG)
    off      –       –                  not the real (FLAG)
    on       100     –                  the real (FLAG)
    on       below   in the share       the real (RAMP)
    on       below   outside, or none   not the real (RAMP)
    ======== ======= ================== =====================
    """
    if flag in flags.retired:
        return _FLAG[True]
    values = flags.values
    if not values.get(flag, False):
        return _FLAG[False]
    percent = values.get(PERCENT + flag[len(USE_REAL):], 100)
    if percent >= 100:
        return _FLAG[True]
    return _RAMP[viewer is not None and bucket(flag, viewer) < percent * (_BUCKETS // 100)]


def bucket(flag: str, viewer: str) -> int:
    """Where in 0…9,999 a viewer stands for a flag: always the same place, another one for another flag.

    A CRC-32, since no cryptographic hash takes less than a microsecond. It is linear: the same viewer's would differ by
    a constant between two flags. Two multiplications with a shift between them, after xxHash's primes, undo that.
    """
    mixed = crc32(f"{flag}\0{viewer}".encode("utf-8", "surrogatepass")) * 0x9E3779B1
    return ((mixed ^ mixed >> 29) * 0x85EBCA77 >> 16) % _BUCKETS


def shadows(flags: Flags, flag: str) -> bool:
    """Whether the source that is not shown is read too."""
    return flag not in flags.retired and bool(flags.values.get(SHADOW + flag[len(USE_REAL):], False))


def share(flags: Flags, flag: str) -> int:
    """Of the viewers, how many per cent get the real source of the component with this ``use_real_…`` flag."""
    return int(flags[PERCENT + flag[len(USE_REAL):]]) if flags[flag] else 0


def stage(flags: Flags, flag: str) -> Stage:
    """How far the component with this ``use_real_…`` flag is."""
    if flag in flags.retired:
        return Stage.RETIRED
    percent = share(flags, flag)
    if not percent:
        return Stage.SHADOW if shadows(flags, flag) else Stage.MOCK
    if percent < 100:
        return Stage.RAMPING
    return Stage.LIVE if flags.fallback_on_error else Stage.REAL_ONLY


def retreat(use_real: Iterable[str], retired: Collection[str] = ()) -> dict[str, FlagValue]:
    """What undoes components at once, by their ``use_real_…`` flags: no real source, and the stand-ins allowed.

    A retired one has nothing to go back to; where all are retired, nothing is undone.
    """
    left = [flag for flag in use_real if flag not in retired]
    return {**dict.fromkeys(left, False), "fallback_on_error": True} if left else {}


def own(use_real: str) -> tuple[str, str, str]:
    """A component's three flags, by its ``use_real_…``."""
    suffix = use_real.removeprefix(USE_REAL)
    return use_real, PERCENT + suffix, SHADOW + suffix


def names_of(use_real: Iterable[str]) -> tuple[str, ...]:
    """All flags there are, with these components' ``use_real_…``."""
    suffixes = [flag[len(USE_REAL):] for flag in use_real]
    others = [flag for flag in BUILT_IN if not flag.startswith(USE_REAL)]
    return (*(USE_REAL + suffix for suffix in suffixes), *others,
            *(prefix + suffix for suffix in suffixes for prefix in (PERCENT, SHADOW)))


ALL = names_of(flag for flag in BUILT_IN if flag.startswith(USE_REAL))
"""The flags of the built-in components."""


def default(name: str) -> FlagValue:
    """What holds while nobody has set it."""
    return 100 if name.startswith(PERCENT) else name in ON_BY_DEFAULT


def check(name: str, value: object) -> FlagValue:
    """The value, if the flag may have it. Raises FlagError."""
    if name.startswith(PERCENT):
        if type(value) is int and 0 <= value <= 100:
            return value
        raise FlagError(f"{name} is a percentage: a whole number from 0 to 100")
    if type(value) is bool:
        return value
    raise FlagError(f"{name} is true or false")


def parse(name: str, text: str) -> FlagValue:
    """A flag's value from text: as ``parse_bool``, or a percentage with or without its sign. Raises FlagError."""
    if not name.startswith(PERCENT):
        return parse_bool(text)
    number = text.strip().removesuffix("%").strip()
    if not (number.isascii() and number.isdecimal()):
        raise FlagError(f"{text!r} is no percentage: give a whole number from 0 to 100")
    return check(name, int(number[:9]))


def parse_bool(text: str) -> bool:
    """``true``/``false``, ``1``/``0``, ``yes``/``no`` or ``on``/``off``, in any case.

    Raises FlagError for anything else: a misspelt ``ture`` must not quietly mean false.
    """
    word = text.strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise FlagError(f"{text!r} is neither true nor false")


def seed(environment: Mapping[str, str], names: Iterable[str] = ALL) -> dict[str, FlagValue]:
    """The flags of a first start: from ``NAME`` or ``NEXT_PUBLIC_NAME``, in capitals, or the default.

    Where both spellings are set, the one without the prefix wins.
    Raises FlagError for a value that cannot be meant, naming the variable.
    """
    flags: dict[str, FlagValue] = {}
    for name in names:
        flags[name] = default(name)
        for variable in (name.upper(), f"NEXT_PUBLIC_{name.upper()}"):
            if variable in environment:
                try:
                    flags[name] = parse(name, environment[variable])
                except FlagError as error:
                    raise FlagError(f"{variable}: {error}") from None
                break
    return flags


def camel(name: str) -> str:
    """``use_real_business_metrics`` as it is written in JSON: ``useRealBusinessMetrics``."""
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


def snake(name: str) -> str:
    """The other way round. A name that is in this spelling already stays."""
    return "".join(f"_{char.lower()}" if char.isupper() else char for char in name)


def canonical(name: str, names: Iterable[str] = ALL) -> str:
    """The flag meant by a name in either spelling, ``NEXT_PUBLIC_…`` included.

    Raises FlagError, listing the flags there are.
    """
    wanted = name.lower().removeprefix("next_public_")
    known = tuple(names)
    for flag in known:
        if wanted == flag or name == camel(flag):
            return flag
    raise FlagError(f"there is no flag {name!r}; there are: {', '.join(known)}")
