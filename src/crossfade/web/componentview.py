"""One component of the migration with all that is known of it: beside its reference, over time, gate by gate. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from crossfade.core.clock import iso
from crossfade.core.quality import Quality
from crossfade.core.recounted import Recounted
from crossfade.sources.component import Component
from crossfade.state.rollouts import Rollout

from .curve import Curve, Spark, spark
from .layouts import Field, layout_of
from .migrationview import TONES, Row
from .pages import extent
from .rolloutview import Judged, judged
from .stacks import Stack
from .writing import clip, moment, percent, show

MOST_MISMATCHES = 100


@dataclass(frozen=True, slots=True)
class DimensionLine:
    """One side of the quality."""

    name: str
    value: str
    wanted: str
    tone: str
    word: str
    sentence: str


@dataclass(frozen=True, slots=True)
class MismatchLine:
    """A window in which the real value is not its reference's."""

    since: str
    since_text: str
    until: str
    until_text: str
    field: str
    real: str
    reference: str
    witness: str


@dataclass(frozen=True, slots=True)
class ExampleLine:
    """Something that went wrong."""

    at: str
    at_text: str
    sort: str
    field: str
    value: str
    reason: str


@dataclass(frozen=True, slots=True)
class Picture:
    """One figure over time: real, legacy and mock as lines of their own."""

    field: Field
    spark: Spark | None
    extent: str


@dataclass(frozen=True, slots=True)
class ComponentView:
    """The page of a component."""

    component: Component
    row: Row
    dimensions: tuple[DimensionLine, ...]
    agreement: Stack
    mismatches: tuple[MismatchLine, ...]
    left_off: int
    """Mismatches beyond those that are listed."""
    examples: tuple[ExampleLine, ...]
    gates: tuple[tuple[str, tuple[Judged, ...]], ...]
    """Those of the last rollout that look at it, by phase."""

    def pictures(self, past: Curve) -> tuple[Picture, ...]:
        """A picture for each of its figures."""
        fields = [each for each in layout_of(self.component).figures if each.kind != "text"]
        found = [(each, spark(past, each.path, each.limit)) for each in fields]
        return tuple(Picture(each, seen, extent(seen, each)) for each, seen in found)


def component_view(component: Component, row: Row, quality: Quality, agreement: Stack,  # noqa: PLR0917
                   mismatches: Sequence[Recounted], rollout: Rollout | None) -> ComponentView:
    """``mismatches``: all of this component, the newest first; ``rollout``: the last there was."""
    dimensions = tuple(
        DimensionLine(each.name, show(each.value, "percent"), percent(each.threshold), TONES[each.status],
                      each.status.value, each.sentence) for each in quality.dimensions)
    examples = tuple(ExampleLine(iso(each.at), moment(iso(each.at)), each.sort, each.field, each.value, each.reason)
                     for each in quality.examples)
    return ComponentView(
        component, row, dimensions, agreement, tuple(map(_mismatch, mismatches[:MOST_MISMATCHES])),
        max(0, len(mismatches) - MOST_MISMATCHES), examples,
        () if rollout is None else tuple(_gates(rollout, component.name)),
    )


def _gates(rollout: Rollout, name: str) -> Iterable[tuple[str, tuple[Judged, ...]]]:
    for index, phase in enumerate(rollout.plan.phases):
        verdicts = {each.gate: each for each in rollout.verdicts} if index == rollout.state.phase else {}
        found = tuple(judged(gate, verdicts.get(gate.name)) for gate in phase.gates if gate.component == name)
        if found:
            yield phase.name, found


def _mismatch(found: Recounted) -> MismatchLine:
    since, until = iso(found.start), iso(found.end)
    return MismatchLine(since, moment(since), until, moment(until), clip(found.field), show(found.reported, "count"),
                        show(found.recounted, "count"), found.witness)
