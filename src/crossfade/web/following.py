"""The flags as they are pushed: a stream of server-sent events for each process that follows, and its answers.

The stream is written without the framework: a hundred processes shall have a rollback within a moment.
"""

import asyncio
from contextlib import suppress
from typing import Annotated

import msgspec
from litestar import Router, get, post
from litestar.params import JSONBody, QueryParameter
from litestar.types import ASGIApp, Receive, Scope, Send

from crossfade.core.clock import iso
from crossfade.followers import Follower, Followers, TooManyFollowers, UnknownFollower

from .auth import may_follow, may_read
from .context import AppDependency
from .errors import HTTPError
from .live import Json

HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"), (b"x-content-type-options", b"nosniff"),
]
ALIVE = b": alive\n\n"

Name = Annotated[str, QueryParameter(description="Which process this is, for people.")]
Id = Annotated[str | None, QueryParameter(min_length=16, max_length=64, description="A secret of the process's own, by "
                                          "which it acknowledges; who gives none only looks on.")]
FollowerId = Annotated[str, msgspec.Meta(min_length=16, max_length=64)]


class Acknowledgement(msgspec.Struct, forbid_unknown_fields=True):
    """A process has these flags."""

    id: FollowerId
    revision: Annotated[int, msgspec.Meta(ge=0)]


class Goodbye(msgspec.Struct, forbid_unknown_fields=True):
    """A process ends, or follows no more."""

    id: FollowerId


@get("/api/flags/stream", guards=[may_follow], media_type="text/event-stream")
async def stream(app: AppDependency, name: Name = "", id: Id = None) -> ASGIApp:  # noqa: A002  as it is in the URL
    """All flags at once and again at each change, as server-sent events named ``flags``, with their revision as id.

    Every event is whole, so nothing is missed by whoever comes back, and Last-Event-ID need not be sent.
    """
    async def respond(_: Scope, receive: Receive, send: Send) -> None:
        try:
            with app.followers.joined(name, id) as follower:
                await push(app.followers, follower, receive, send)
        except TooManyFollowers as error:
            raise HTTPError(503, "busy", str(error), headers={"Retry-After": "10"}) from None

    return respond


@post("/api/flags/ack", guards=[may_follow], status_code=204)
async def acknowledge(app: AppDependency, data: JSONBody[Acknowledgement]) -> None:
    """A process that follows says that it has the flags of a revision."""
    try:
        app.followers.acknowledge(data.id, data.revision)
    except UnknownFollower as error:
        raise HTTPError(404, "unknown_follower", str(error)) from None


@post("/api/flags/leave", guards=[may_follow], status_code=204)
async def leave(app: AppDependency, data: JSONBody[Goodbye]) -> None:
    """A process that followed says goodbye: nobody waits for it any more."""
    app.followers.leave(data.id)


@get("/api/flags/followers", guards=[may_read])
async def followers(app: AppDependency) -> list[dict[str, Json]]:
    """The processes that follow the flags, with what each acknowledged last, and those lost within ten minutes."""
    return [
        {"name": row.name, "connectedAt": iso(row.connected_at), "revision": row.revision,
         "lostAt": None if row.lost_at is None else iso(row.lost_at)}
        for row in app.followers.rows()
    ]


async def push(followers: Followers, follower: Follower, receive: Receive, send: Send) -> None:
    """Sends until the process is gone or the server stops."""
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    gone = asyncio.create_task(_end_when_gone(follower, receive), name="follower")
    try:
        while not follower.ended:
            found = await followers.next(follower)
            body = ALIVE if found is None else b"id: %d\nevent: flags\ndata: %s\n\n" % found
            await send({"type": "http.response.body", "body": body, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
    finally:
        gone.cancel()
        with suppress(asyncio.CancelledError):
            await gone


async def _end_when_gone(follower: Follower, receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    follower.end()


HANDLERS = (stream, acknowledge, leave, followers)
routes = Router(path="/", route_handlers=list(HANDLERS))
