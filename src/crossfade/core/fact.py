"""What gates may look at, and how it is read from what was measured: quality, ledger, live figures, alerts."""

import math
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from .alert import Alert, Severity
from .dimension import Proof
from .gate import NOTHING, Fact
from .ledger import Standing, completeness
from .quality import Quality

SHARES = ("error_rate", "fallback_rate", "accuracy", "consistency")
PLAIN = ("quality", "completeness", "validity", "freshness", "real_share", "latency_p50", "latency_p95", "latency_p99",
         "calls", "errors", "served", "fallback_triggers", "stale", "unavailable", "undeclared_synthetic",
         "clock_errors", "leaks", "mismatches")
EVENTS = ("completeness", "sent", "stored", "waiting", "missing", "rejected", "dropped")
ALERTS = ("any", *Severity)

FIGURES: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "quality": (*SHARES, *PLAIN), "ledger": EVENTS, "alerts": tuple(str(name) for name in ALERTS),
})
"""By where they come from, the figures there are. ``live`` has whatever the dashboard shows."""

PROVED = frozenset({"ledger.completeness", *(f"quality.{name}" for name in SHARES)})
"""Figures that are a share, and judged by its exact bounds."""


def refusal(figure: str) -> str | None:
    """Why there is no such figure; None if there is."""
    family, _, name = figure.partition(".")
    if family == "live" and name and all(name.split(".")):
        return None
    if family not in FIGURES:
        return f"there is no figure {figure!r}: it begins with quality., ledger., live. or alerts."
    if name not in FIGURES[family]:
        return f"there is no figure {figure!r}; of {family} there are: {', '.join(FIGURES[family])}"
    return None


def of_quality(quality: Quality, name: str) -> Fact:
    """A component's figure, ``error_rate`` or another. Raises ValueError if there is none of the name."""
    if name not in FIGURES["quality"]:
        raise ValueError(f"quality has no figure {name!r}")
    example = quality.examples[0].words if quality.examples else None
    match name:
        case "accuracy":
            return _proved(quality.accuracy_proof, example)
        case "consistency":
            return _proved(quality.consistency_proof, example)
        case "error_rate":
            return Fact(quality.error_rate, quality.calls, k=quality.errors, example=example)
        case "fallback_rate":
            return _fallbacks(quality, example)
        case "quality":
            return _whole(quality)
        case "completeness" | "validity" | "freshness":
            example = next((each.sentence for each in quality.dimensions if each.name == name), example)
    value = getattr(quality, name)
    n = quality.calls if name.startswith("latency") else quality.served + quality.calls
    return Fact(None if value is None else float(value), n, example=example)


def of_ledger(standing: Standing, name: str) -> Fact:
    """A figure of all trackers' events. Raises ValueError if there is none of the name."""
    if name not in EVENTS:
        raise ValueError(f"the ledger has no figure {name!r}")
    if name == "completeness":
        due = standing.sent - standing.waiting
        return Fact(completeness(standing), due, k=min(standing.arrived, due)) if due > 0 else NOTHING
    value = getattr(standing, name)
    return Fact(float(sum(value.values()) if isinstance(value, Mapping) else value), standing.sent)


def of_alerts(alerts: Iterable[Alert], name: str, component: str = "") -> Fact:
    """How many alerts are open of a severity, or of any. Their absence is a fact too: whoever asks has looked."""
    found = [alert for alert in alerts if alert.live and name in {"any", alert.severity}
             and component in {"", alert.key.component}]
    return Fact(float(len(found)), 1, example=found[0].message if found else None)


def of_live(value: object) -> Fact:
    """A figure that the dashboard shows; what is no number is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return NOTHING
    try:
        figure = float(value)
    except OverflowError:  # an integer that no float holds
        return NOTHING
    return Fact(figure, 1) if math.isfinite(figure) else NOTHING


def _proved(proof: Proof | None, example: str | None) -> Fact:
    return NOTHING if proof is None else Fact(proof.figure, proof.compared, k=proof.agreeing, example=example)


def _fallbacks(quality: Quality, example: str | None) -> Fact:
    """The share of the readings that were to be real. How many those were follows from it; where there was no
    fallback at least the real ones were."""
    rate, fallbacks = quality.fallback_rate, quality.fallback_triggers
    if rate is None:
        return NOTHING
    real = (quality.served - quality.unavailable) * (quality.real_share or 0.0) / 100
    n = round(100 * fallbacks / rate) if rate else round(real)
    return Fact(rate, max(n, fallbacks), k=fallbacks, example=example)


def _whole(quality: Quality) -> Fact:
    """The worst dimension, named. While one is not known the whole may be anything up to what the others are."""
    if quality.quality is None:
        return NOTHING
    proofs = {"accuracy": quality.accuracy_proof, "consistency": quality.consistency_proof}
    lows, highs = [], []
    for dimension in quality.dimensions:
        proof = proofs.get(dimension.name)
        lows.append(dimension.value if dimension.value is not None else 0.0)
        highs.append(proof.high if proof is not None else dimension.value if dimension.value is not None else 100.0)
    return Fact(quality.quality, quality.calls, low=min(lows), high=max(min(lows), min(highs)),
                example=quality.sentence)
