"""What an application may do to its events before anything of them is written down."""

import hashlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from random import SystemRandom

from msgspec import Struct
from msgspec.structs import replace

from crossfade.core.report import REPORT

from .wire import JSON

REDACTED = "[redacted]"
SAMPLE_RATE = "$sampleRate"
"""The property in which a sampled event carries its rate: it stands for 1 ÷ rate events."""
ANY = "*"
"""In the rates: every event that is not named, the processes' reports aside."""


class Call(Struct, frozen=True):
    """What was tracked, before it is an event."""

    event: str
    user_id: str | None
    properties: JSON
    session_id: str | None


BeforeSend = Callable[[Call], Call | None]
"""Changes a call (by ``msgspec.structs.replace``), or drops it by giving None."""


@dataclass(frozen=True, slots=True)
class Hooks:
    """Applied in this order: sampling, ``before_send``, redaction, hashing of the user's id."""

    before_send: BeforeSend | None = None
    redact: Collection[str] = ()
    """Names of properties, at any depth, whose values are replaced."""
    user_key: bytes = b""
    """Key of 16 to 64 bytes: user ids are replaced by their keyed BLAKE2b, the same for the same id and key."""
    sample: Mapping[str, float] | None = None
    """Of each event's name the share, above 0 up to 1, that is kept."""
    draw: Callable[[], float] = SystemRandom().random

    def __post_init__(self) -> None:
        """Raises ValueError for what cannot be meant."""
        if self.user_key and not 16 <= len(self.user_key) <= 64:
            raise ValueError("user_key needs 16 to 64 bytes")
        if isinstance(self.redact, str):
            raise ValueError("redact is a collection of names")  # noqa: TRY004  a str is a collection too
        for name, rate in (self.sample or {}).items():
            if not 0 < rate <= 1:
                raise ValueError(f"the rate of {name!r} is {rate}; it must be above 0 and up to 1")

    def __bool__(self) -> bool:
        return bool(self.before_send or self.redact or self.user_key or self.sample)

    def apply(self, call: Call) -> Call | str:
        """The call as it may be written down, or the reason why it is dropped. Raises what ``before_send`` raises."""
        rate = self._rate(call.event)
        if rate < 1.0:
            if self.draw() >= rate:
                return "sampled"
            call = replace(call, properties={**call.properties, SAMPLE_RATE: rate})
        if self.before_send is not None:
            changed = self.before_send(call)
            if changed is None:
                return "before_send"
            call = changed
        if self.redact:
            call = replace(call, properties={name: self._redacted(name, value)
                                             for name, value in call.properties.items()})
        if self.user_key and call.user_id is not None:
            call = replace(call, user_id=hash_user(call.user_id, self.user_key))
        return call

    def _rate(self, event: str) -> float:
        if not self.sample:
            return 1.0
        # A process's reports are sums already, and a sign of life: "every event" does not mean them.
        return self.sample.get(event, 1.0 if event == REPORT else self.sample.get(ANY, 1.0))

    def _redacted(self, name: str, value: object) -> object:
        if name in self.redact:
            return REDACTED
        if isinstance(value, Mapping):
            return {key: self._redacted(key, inner) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self._redacted("", inner) for inner in value]
        return value


def hash_user(user_id: str, key: bytes) -> str:
    """A name for the user that only who has the key can make: 32 hexadecimal digits."""
    return hashlib.blake2b(user_id.encode(), key=key, digest_size=16).hexdigest()
