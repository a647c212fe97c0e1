"""Errors as clients need them: four strings, whatever went wrong."""

from collections.abc import Mapping

import msgspec

from .requestid import request_id


class HTTPError(Exception):
    """An answer that says what was wrong, by a code for programs and a message for people."""

    def __init__(self, status: int, code: str, message: str, detail: str = "", *,
                 headers: Mapping[str, str] | None = None) -> None:
        """``headers``: what the answer needs beside; a 401 asks for a Bearer token where they name no other scheme."""
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.detail = detail
        self._headers = dict(headers or {})
        if status == 401:
            self._headers.setdefault("WWW-Authenticate", "Bearer")

    def fields(self) -> dict[str, str]:
        """Segment's and Rudder's clients look for ``code`` and ``message``, others for ``detail`` or ``error``."""
        return {"code": self.code, "message": self.message, "detail": self.detail or self.message, "error": self.code}

    def body(self) -> bytes:
        return msgspec.json.encode(self.fields())

    def headers(self) -> dict[str, str]:
        return dict(self._headers)


def not_known(what: str, error: Exception) -> HTTPError:
    """A store does not answer a question just now. ``what``, as in "it cannot be told now"."""
    return HTTPError(503, "not_known", f"{what}: {error}", headers={"Retry-After": "5"})


def not_stored(what: str, error: Exception) -> HTTPError:
    """A store takes no change just now. ``what``, as in "nothing was changed"."""
    return HTTPError(503, "not_stored", f"{what}: {error}", headers={"Retry-After": "1"})


def unexpected() -> HTTPError:
    """An error of ours: the log says what it was, under the request's id."""
    number = request_id()
    return HTTPError(500, "internal", "something went wrong here; the log says what",
                     "" if number is None else f"the request's id is {number}")
