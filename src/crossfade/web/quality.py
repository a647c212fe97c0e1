"""Quality as it is shown: figures, and in words why; moments as ISO 8601."""

from collections.abc import Iterable, Mapping
from datetime import timedelta

import msgspec

from crossfade.core.clock import iso, micros, read_iso
from crossfade.core.flag import Flags, stage
from crossfade.core.quality import Health, Quality
from crossfade.core.threshold import Window
from crossfade.sources.component import Component

from .errors import HTTPError
from .live import Json

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def quality_json(quality: Quality, component: Component, flags: Flags) -> dict[str, Json]:
    """One component: the guide's names at the top, everything else beside them."""
    out: dict[str, Json] = msgspec.to_builtins(quality)
    out["stage"] = stage(flags, component.flag).value
    out["flag"] = component.flag
    out["window"] = {"since": iso(quality.window.since), "until": iso(quality.window.until)}
    out["examples"] = [
        {**msgspec.to_builtins(example), "at": iso(example.at), "words": example.words}
        for example in quality.examples
    ]
    return out


def health_json(health: Health) -> dict[str, Json]:
    told: dict[str, Json] = msgspec.to_builtins(health)
    return told


def window_of(text: str | None, now: int) -> Window | None:
    """``15m``, ``24h``, ``7d``, or a moment since when; None for none. Raises HTTPError for anything else.

    Nothing is known from before 1970, so that is where a longer one begins.
    """
    if text is None:
        return None
    unit = _UNITS.get(text[-1:])
    try:
        if unit is not None and text[:-1].isdecimal():
            length = timedelta(**{unit: int(text[:-1])}) // timedelta(microseconds=1)
            return Window(max(0, now - length), now + 1)
        moment = read_iso(text)
        since = None if moment is None else micros(moment)
    except (OverflowError, ValueError):
        since = None
    if since is None or since > now:
        raise HTTPError(400, "bad_window", f"{text[:40]!r} is no window: give 15m, 24h or 7d, or a moment in ISO 8601 "
                        "that is past")
    return Window(max(0, since), now + 1)


def migration_json(at: int, health: Health, qualities: Iterable[Quality], components: Mapping[str, Component],
                   flags: Flags, *, recommendations: Iterable[msgspec.Struct], alerts: list[Json],
                   trouble: str | None = None) -> dict[str, Json]:
    """The guide's migration dashboard. ``trouble``: why it is not of this moment."""
    told = list(qualities)
    real = [quality for quality in told if quality.data_source == "real"]
    return {
        "at": iso(at),
        "trouble": trouble,
        "summary": f"{len(real)} of {len(told)} components are real",
        "health": health.value,
        "healthComponent": health.component,
        "healthSentence": health.sentence,
        "components": [
            {"name": quality.component, **quality_json(quality, components[quality.component], flags)}
            for quality in told if quality.component in components
        ],
        "recommendations": msgspec.to_builtins(list(recommendations)),
        "alerts": alerts,
    }
