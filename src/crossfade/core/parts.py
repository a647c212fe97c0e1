"""What a payload holds, one level down."""

from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from itertools import chain

from msgspec import Struct
from msgspec.structs import astuple


def parts(value: object) -> Iterable[object]:
    """The values in it; none for what is one value. Of a timeline at once those of all its rows: it has hundreds."""
    match value:
        case Struct():
            return astuple(value)
        case tuple() | list() | set() | frozenset():
            if all(issubclass(kind, Struct) for kind in set(map(type, value))):
                return chain.from_iterable(map(astuple, value))
            return value
        case Mapping():
            return value.values()
        case _ if is_dataclass(value):
            return [getattr(value, field.name) for field in fields(value)]
    return ()
