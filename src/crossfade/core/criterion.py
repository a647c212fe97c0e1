"""The guide's ten success criteria: what is found of each, and the row that is made of it. See `checklist`."""

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct

from .flag import Stage
from .gate import Verdict
from .quality import Quality
from .threshold import Window

Figures = Mapping[str, float | int | str | None]


class Standing(StrEnum):
    """What can be said of a criterion."""

    MET = "met"
    UNMET = "unmet"
    UNKNOWN = "unknown"


class Statement(Struct, frozen=True, rename="camel"):
    """Somebody says so."""

    who: str
    at: int
    reason: str


class Row(Struct, frozen=True, rename="camel"):
    """A criterion as it is judged."""

    number: int
    name: str
    criterion: str
    """In the guide's words."""
    standing: Standing
    sentence: str
    """The evidence."""
    figures: Figures
    command: str
    """Which shows it, or brings it on."""
    stated: Statement | None = None
    """Where it is met because somebody says so, and not by measurement."""


class Unknown(Struct, frozen=True):
    """It could not be found out."""

    why: str


class Switches(Struct, frozen=True):
    """The flags, in the control database and beyond it."""

    flags: int
    lacking: tuple[str, ...]
    """Names that the components need, and that are not there."""
    behind: tuple[str, ...]
    """Processes that are not known to have the newest ones."""


class Tracked(Struct, frozen=True):
    """Events of the last day, and the trackers' account of all."""

    events: int
    sent: int
    arrived: int
    waiting: int
    missing: int


class Counted(Struct, frozen=True):
    """The daily statistics."""

    yesterday: str
    counted_at: int | None
    """When yesterday was counted; None if it was not."""
    days: int
    """That are counted, of the last month."""
    lacking: tuple[str, ...]
    """Closed days that should be, and are not, or not anew since events came for them."""


class Answered(Struct, frozen=True):
    """How long answers take: of each real source, and of this server to anybody."""

    sources: tuple[Verdict, ...]
    p95_ms: float | None
    """Of this server's answers."""
    n: int
    """How many those are."""


class Failed(Struct, frozen=True):
    """How often real sources failed, since the migration began."""

    window: Window
    sources: tuple[Verdict, ...]


class Rehearsed(Struct, frozen=True):
    """A rollback that was done: the last drill, or a rollout that went back."""

    at: int
    what: str
    """In words: ``a drill by ann``."""
    micros: int | None
    """How long it took; None where that is not known."""
    processes: int | None
    """That had to have the flags back."""
    problem: str | None = None
    """Why it did not work."""
    holds: bool = True
    """Whether nothing that it depends on has changed since."""


class Mocked(Struct, frozen=True):
    """A component's mock."""

    component: str
    stage: Stage
    served: int
    """Readings since nothing may stand in for any real source."""
    synthetic: int
    """Of them made up."""


class Mocks(Struct, frozen=True):
    """All of them."""

    components: tuple[Mocked, ...]
    window: Window | None
    """In which the readings were counted; None while some component is not real only."""


class Documented(Struct, frozen=True):
    """What can be seen of the documentation."""

    described: tuple[str, ...]
    undescribed: tuple[str, ...]
    """Components whose real source does not say in its code what it is."""
    statement: Statement | None


NOT_ASKED = Unknown("nobody has looked")


class Facts(Struct, frozen=True, kw_only=True):
    """What was found, a field a criterion, in the guide's order."""

    flags: Switches | Unknown = NOT_ASKED
    tracking: Tracked | Unknown = NOT_ASKED
    business: Verdict | Unknown = NOT_ASKED
    aggregation: Counted | Unknown = NOT_ASKED
    quality: tuple[Quality, ...] | Unknown = NOT_ASKED
    latency: Answered | Unknown = NOT_ASKED
    errors: Failed | Unknown = NOT_ASKED
    rollback: Rehearsed | Unknown | None = NOT_ASKED
    """None if there was none."""
    mocks: Mocks | Unknown = NOT_ASKED
    documentation: Documented | Unknown = NOT_ASKED
