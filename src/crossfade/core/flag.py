"""The switches: which components are real, whether a mock may stand in, whether sources are logged."""

from collections.abc import Mapping

from msgspec import Struct

from .reading import Origin

BUILT_IN = (
    "use_real_business_metrics",
    "use_real_system_metrics",
    "use_real_historical_data",
    "use_real_infrastructure_metrics",
    "fallback_on_error",
    "log_data_sources",
)
"""The guide's six, in its order. The environment seeds them by these names."""

ON_BY_DEFAULT = frozenset({"fallback_on_error"})

_TRUE = frozenset({"true", "1", "yes", "on"})
_FALSE = frozenset({"false", "0", "no", "off"})


class FlagError(ValueError):
    """A flag's name or value is not one that Crossfade knows. The message says which are."""


class Flags(Struct, frozen=True):
    """All flags at one moment."""

    values: Mapping[str, bool]

    def __getitem__(self, name: str) -> bool:
        return self.values.get(name, name in ON_BY_DEFAULT)

    @property
    def fallback_on_error(self) -> bool:
        return self["fallback_on_error"]

    @property
    def log_data_sources(self) -> bool:
        return self["log_data_sources"]


def evaluate(flags: Flags, flag: str) -> Origin:
    """Which source a component with this flag is read from."""
    return Origin.REAL if flags[flag] else Origin.MOCK


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


def seed(environment: Mapping[str, str], names: tuple[str, ...] = BUILT_IN) -> dict[str, bool]:
    """The flags of a first start: from ``NAME`` or ``NEXT_PUBLIC_NAME``, in capitals, or the default.

    Where both spellings are set, the one without the prefix wins.
    Raises FlagError for a value that is neither true nor false, naming the variable.
    """
    flags = {}
    for name in names:
        flags[name] = name in ON_BY_DEFAULT
        for variable in (name.upper(), f"NEXT_PUBLIC_{name.upper()}"):
            if variable in environment:
                try:
                    flags[name] = parse_bool(environment[variable])
                except FlagError as error:
                    raise FlagError(f"{variable}: {error}") from None
                break
    return flags


def camel(name: str) -> str:
    """``use_real_business_metrics`` as it is written in JSON: ``useRealBusinessMetrics``."""
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


def canonical(name: str, names: tuple[str, ...] = BUILT_IN) -> str:
    """The flag meant by a name in either spelling, ``NEXT_PUBLIC_…`` included.

    Raises FlagError, listing the flags there are.
    """
    wanted = name.lower().removeprefix("next_public_")
    for known in names:
        if wanted == known or name == camel(known):
            return known
    raise FlagError(f"there is no flag {name!r}; there are: {', '.join(names)}")
