"""Users over HTTP, for admins."""

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
from litestar import Router, delete, get, patch, post
from litestar.params import FromPath, JSONBody

from crossfade.access import Busy
from crossfade.core.clock import iso
from crossfade.core.role import Role
from crossfade.core.user import ADMIN, NoUser, User, UserError, UserTaken

from .auth import actor, may_administer
from .context import AppDependency, AppRequest
from .errors import HTTPError
from .live import Json, maybe_iso


class NewUser(msgspec.Struct, forbid_unknown_fields=True):
    """Who is to be let in. Without a password a link must sign the user in."""

    name: str
    role: Role = Role.VIEWER
    password: str | None = None

    def __repr__(self) -> str:
        return f"NewUser({self.name!r}, …)"


class UserChange(msgspec.Struct, forbid_unknown_fields=True):
    """What is to be another; what is not named stays."""

    role: Role | None = None
    disabled: bool | None = None
    password: str | None = None

    def __repr__(self) -> str:
        return "UserChange(…)"


class LinkFor(msgspec.Struct, forbid_unknown_fields=True):
    """Whom a link is to sign in."""

    user: str = ADMIN


@get("/api/users", guards=[may_administer])
async def users(app: AppDependency) -> list[dict[str, Json]]:
    """All users, by name, each with its role and how many sessions it has."""
    with _explained():
        return [user_json(user) for user in await app.users.all()]


@post("/api/users", guards=[may_administer])
async def add_user(request: AppRequest, app: AppDependency, data: JSONBody[NewUser]) -> dict[str, Json]:
    """Adds a user. The password, if there is one, has at least ten characters."""
    with _explained():
        name = await app.users.add(data.name, data.role, data.password, who=actor(request))
    return {"name": name, "role": data.role.value}


@patch("/api/users/{name:str}", guards=[may_administer])
async def change_user(
    request: AppRequest, app: AppDependency, name: FromPath[str], data: JSONBody[UserChange],
) -> dict[str, Json]:
    """Changes a user. Who is disabled, or gets another password, is signed out everywhere at once."""
    with _explained():
        return user_json(await app.users.change(
            name, role=data.role, disabled=data.disabled, password=data.password, who=actor(request)))


@delete("/api/users/{name:str}", guards=[may_administer], status_code=200)
async def remove_user(request: AppRequest, app: AppDependency, name: FromPath[str]) -> dict[str, Json]:
    """Removes a user, who is signed out everywhere at once; what the audit log says stays."""
    with _explained():
        await app.users.remove(name, who=actor(request))
    return {"name": name, "removed": True}


@post("/api/users/{name:str}/sign-out", guards=[may_administer], status_code=200)
async def sign_out_user(request: AppRequest, app: AppDependency, name: FromPath[str]) -> dict[str, Json]:
    """Signs a user out everywhere."""
    with _explained():
        return {"name": name, "ended": await app.users.sign_out(name, who=actor(request))}


@post("/api/sign-in-links", guards=[may_administer], sync_to_thread=True)
def make_link(request: AppRequest, app: AppDependency, data: JSONBody[LinkFor | None] = None) -> dict[str, Json]:
    """Makes a link that signs a user in, once, within 15 minutes; without a name the built-in admin."""
    name = (data or LinkFor()).user
    with _explained():
        made, expires_at = app.users.link(name, who=actor(request))
    return {"user": name, "path": link_path(made), "expiresAt": iso(expires_at)}


def link_path(made: str) -> str:
    """Where a link leads on this server."""
    return f"/login?link={made}"


def user_json(user: User) -> dict[str, Json]:
    """As it is, with its moments in words."""
    fields: dict[str, Json] = msgspec.to_builtins(user)
    return fields | {"madeAt": iso(user.made_at), "seenAt": maybe_iso(user.seen_at)}


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except NoUser as error:
        raise HTTPError(404, "no_user", str(error)) from None
    except UserTaken as error:
        raise HTTPError(409, "user_taken", str(error)) from None
    except UserError as error:
        raise HTTPError(400, "bad_user", str(error)) from None
    except Busy as error:
        raise HTTPError(503, "busy", str(error), headers={"Retry-After": "1"}) from None


HANDLERS = (users, add_user, change_user, remove_user, sign_out_user, make_link)
routes = Router(path="/", route_handlers=list(HANDLERS))
