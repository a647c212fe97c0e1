"""Prometheus' text format, version 0.0.4: what is measured, under its name, its type and its meaning."""

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from itertools import accumulate

from msgspec import Struct

MEDIA_TYPE = "text/plain; version=0.0.4"  # the server adds the charset
_NOT_IN_A_NAME = re.compile("[^a-zA-Z0-9_]")


class Kind(StrEnum):
    """How a metric behaves."""

    GAUGE = "gauge"
    COUNTER = "counter"
    HISTOGRAM = "histogram"


class Metric(Struct, frozen=True):
    """What all samples of one name have in common."""

    name: str
    kind: Kind
    help: str = ""
    labels: tuple[str, ...] = ()


class Exposition:
    """Gathers samples, and writes all those of a metric together, as the format demands."""

    def __init__(self) -> None:
        self._families: dict[str, tuple[Metric, list[str]]] = {}

    def add(self, metric: Metric, value: float | None, *values: str) -> None:
        """A sample with the metric's labels; none of what is unknown or no number."""
        self.labelled(metric, value, dict(zip(metric.labels, values, strict=True)))

    def labelled(self, metric: Metric, value: float | None, labels: Mapping[str, str]) -> None:
        """A sample with labels of its own."""
        if value is not None and math.isfinite(value):
            self._lines(metric).append(_line(metric.name, labels, value))

    def one_of(self, metric: Metric, choices: Iterable[str], chosen: str, *values: str) -> None:
        """A sample for each choice, the metric's last label: 1 for the one that holds, 0 for the others."""
        for choice in choices:
            self.add(metric, int(choice == chosen), *values, choice)

    def histogram(self, metric: Metric, bounds: Sequence[float], counts: Sequence[int], total: float,
                  *values: str) -> None:
        """``counts``: of each bucket alone, one more than there are bounds. ``total``: the sum of what was observed."""
        labels = dict(zip(metric.labels, values, strict=True))
        lines = self._lines(metric)
        for bound, count in zip((*map(repr, bounds), "+Inf"), accumulate(counts), strict=True):
            lines.append(_line(f"{metric.name}_bucket", {**labels, "le": bound}, count))
        lines.append(_line(f"{metric.name}_sum", labels, total))
        lines.append(_line(f"{metric.name}_count", labels, sum(counts)))

    def text(self) -> str:
        return "".join(f"{line}\n" for metric, lines in self._families.values() for line in _family(metric, lines))

    def _lines(self, metric: Metric) -> list[str]:
        return self._families.setdefault(metric.name, (metric, []))[1]


def name_of(*parts: str) -> str:
    """A metric's name of any parts: what Prometheus does not know in a name becomes an underscore."""
    return _NOT_IN_A_NAME.sub("_", "_".join(parts))


def _family(metric: Metric, lines: Iterable[str]) -> Iterator[str]:
    if metric.help:
        yield f"# HELP {metric.name} " + metric.help.replace("\\", r"\\").replace("\n", r"\n")
    yield f"# TYPE {metric.name} {metric.kind}"
    yield from lines


def _line(name: str, labels: Mapping[str, str], value: float) -> str:
    inside = ",".join(f'{key}="{_escape(text)}"' for key, text in labels.items())
    return f"{name}{{{inside}}} {+value!r}" if inside else f"{name} {+value!r}"


def _escape(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
