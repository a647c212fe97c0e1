"""The flags as they are pushed to the processes that follow them: whole, each time, so that nothing can be missed."""

from types import MappingProxyType

import msgspec

from .flag import FlagError, Flags, FlagValue, camel, check, snake

MAX_EVENT = 1 << 20
"""Bytes of an event; thousands of flags fit."""
HEARTBEAT_S = 10.0
"""Seconds after which an idle stream says that it lives."""


class Event(msgspec.Struct, frozen=True):
    """All flags at one moment."""

    revision: int
    flags: dict[str, FlagValue]
    """In JSON's spelling."""
    retired: tuple[str, ...] = ()
    """Components' flags that are on for good, likewise."""


_DECODER = msgspec.json.Decoder(Event)


def encode(flags: Flags) -> bytes:
    """As JSON, in one line."""
    values = {camel(name): value for name, value in flags.values.items()}
    return msgspec.json.encode(Event(flags.revision, values, tuple(sorted(map(camel, flags.retired)))))


def decode(data: bytes) -> Flags:
    """The flags that an event tells. Raises FlagError for one that is none: what is half understood is not applied."""
    if len(data) > MAX_EVENT:
        raise FlagError(f"an event of {len(data):,} bytes")
    try:
        event = _DECODER.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise FlagError(f"no flags: {error}") from None
    if event.revision < 0:
        raise FlagError(f"a revision of {event.revision}")
    values = ((snake(name), value) for name, value in event.flags.items())
    return Flags(MappingProxyType({name: check(name, value) for name, value in values}), event.revision,
                 frozenset(map(snake, event.retired)))
