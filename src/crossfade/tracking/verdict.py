"""What a reply means for the batch that was sent: a pure decision."""

import msgspec
from msgspec import Struct

from .post import Reply, Silence


class Refusal(Struct, frozen=True):
    """One event that the server will never take."""

    reason: str
    detail: str = ""
    index: int = 0
    """Its place in the batch."""


class Taken(Struct, frozen=True):
    """The batch is done with: the server has it on its disk, these events aside."""

    rejected: tuple[Refusal, ...] = ()


class Apart(Struct, frozen=True):
    """The server refuses the batch as a whole: its halves may fare better, and an event alone is refused for this."""

    reason: str
    detail: str


class Paused(Struct, frozen=True):
    """Nothing will be taken until a person changes something."""

    trouble: str


class Later(Struct, frozen=True):
    """The same may be taken a little later."""

    trouble: str
    retry_after: float = 0.0


Verdict = Taken | Apart | Paused | Later


class Answer(Struct, frozen=True):
    """What the server made of a batch. The accepted events are on its disk."""

    accepted: int
    rejected: tuple[Refusal, ...] = ()


class _Explained(Struct, frozen=True):
    message: str
    code: str = ""


def judge(reply: Reply | Silence, count: int) -> Verdict:  # noqa: PLR0911  one line a case
    """What became of a batch of so many events."""
    if isinstance(reply, Silence):
        return Later(f"the server does not answer: {reply.trouble}")
    answer = answer_of(reply.body)
    explained = _explained(reply.body)
    match reply.status:
        case 200 if answer is not None:
            return Taken(_within(answer, count))
        case 400 if answer is not None and _within(answer, count):
            return Taken(_within(answer, count))
        case 400 if explained is not None and explained.code:
            return Apart(explained.code, explained.message)
        case 413:
            return Apart("too_large", explained.message if explained else "the server takes no body so large")
        case 401:
            return Paused("the server does not know the write key (401)")
        case 403:
            return Paused("the server does not let the write key in (403)")
        case 408 | 425 | 429:
            return Later(f"the server is busy ({reply.status})", reply.retry_after)
        case status if status >= 500:
            return Later(f"the server is in trouble ({status})", reply.retry_after)
        case status:
            return Paused(f"what answers there is no Crossfade server ({status})")


def answer_of(body: bytes) -> Answer | None:
    """The server's answer; None when the body is none."""
    try:
        return msgspec.json.decode(body, type=Answer)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _explained(body: bytes) -> _Explained | None:
    try:
        return msgspec.json.decode(body, type=_Explained)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def message_of(body: bytes) -> str:
    """What an error's body says, in words if it has any."""
    explained = _explained(body)
    return explained.message if explained is not None else body[:200].decode(errors="replace")


def _within(answer: Answer, count: int) -> tuple[Refusal, ...]:
    """Each event once: an answer is not trusted to keep to the batch."""
    return tuple({one.index: one for one in answer.rejected if 0 <= one.index < count}.values())
