"""What a form's answer says on the page that it leads back to: kept by the browser until that page is shown, once."""

import base64
import binascii

import msgspec
from litestar.datastructures import Cookie
from msgspec import Struct

from .context import AppRequest

NAME, PATH = "crossfade_notice", "/admin"
LONGEST = 1_000
"""Characters: a browser keeps cookies of 4 kB."""
KEPT_S = 120


class Notice(Struct, frozen=True):
    """What happened."""

    text: str
    tone: str = "pass"


def told(request: AppRequest, notice: Notice) -> Cookie:
    """For the page to come."""
    short = Notice(notice.text[:LONGEST], notice.tone)
    return _cookie(request, base64.urlsafe_b64encode(msgspec.json.encode(short)).decode(), KEPT_S)


def heard(request: AppRequest) -> Notice | None:
    """What the form before had to say; None for nothing, or nothing that we wrote."""
    kept = request.cookies.get(NAME)
    if not kept:
        return None
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(kept), type=Notice)
    except (binascii.Error, ValueError):
        return None


def forgotten(request: AppRequest) -> Cookie:
    return _cookie(request, "", 0)


def _cookie(request: AppRequest, value: str, age: int) -> Cookie:
    return Cookie(NAME, value=value, max_age=age, path=PATH, httponly=True, samesite="strict",
                  secure=request.scope.get("scheme") == "https")
