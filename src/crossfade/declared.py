"""An application's own components, found by the setting ``components``, and what the settings say of each component."""

import importlib
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from crossfade.fade import Crossfade
from crossfade.settings import Settings
from crossfade.sources.component import Component


class DeclarationError(Exception):
    """A component cannot be had as it was declared; the message says what to mend."""


def find(places: Sequence[str]) -> tuple[Component, ...]:
    """The components of ``module:object`` places; modules are looked for in the working folder too.

    Raises DeclarationError.
    """
    here = str(Path.cwd())
    if places and here not in sys.path:
        sys.path.insert(0, here)
    return tuple(component for place in places for component in _fade(place).components)


def together(built_in: Iterable[Component], declared: Iterable[Component]) -> tuple[Component, ...]:
    """All of them. Raises DeclarationError where two have the same name, section or flag."""
    found = (*built_in, *declared)
    for what in ("name", "section", "flag"):
        names = [getattr(component, what) for component in found]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise DeclarationError(f"two components have the {what} {twice!r}: give one of them another name")
    return found


def configured(components: Sequence[Component], settings: Settings) -> tuple[Component, ...]:
    """The components as the settings have them. Raises DeclarationError for a setting of none."""
    names = {component.name for component in components}
    unknown = sorted(settings.per_component.keys() - names)
    if unknown:
        raise DeclarationError(f"per_component names {unknown[0]!r}; there are: {', '.join(sorted(names))}")
    return tuple(_configured(component, settings) for component in components)


def _configured(component: Component, settings: Settings) -> Component:
    """A component's own setting goes before what was declared with it, and that before the general one."""
    general = Component("", "", "", component.mock, component.real)
    own = settings.per_component.get(component.name)
    values: dict[str, object] = {}
    for field, setting in (("timeout", "source_timeout_s"), ("stale_limit", "stale_limit_s"),
                           ("shadow_share", "shadow_share"), ("stand_ins", "stand_ins")):
        value = None if own is None else getattr(own, setting)
        if value is None and getattr(component, field) == getattr(general, field):
            value = getattr(settings, setting)
        if value is not None:
            values[field] = tuple(value) if field == "stand_ins" else value
    return replace(component, **values)  # type: ignore[arg-type]


def _fade(place: str) -> Crossfade:
    module, colon, attribute = place.partition(":")
    if not (module and colon and attribute):
        raise DeclarationError(f"the setting components names {place!r}: write module:object, as in shop.board:fade")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except Exception as error:
        raise DeclarationError(f"{place} cannot be imported: {type(error).__name__}: {error}") from error
    if not isinstance(found, Crossfade):
        raise DeclarationError(f"{place} is a {type(found).__name__}, not a crossfade.fade.Crossfade")
    return found

