"""Errors as clients need them: four strings, whatever went wrong."""

import msgspec

Headers = list[tuple[bytes, bytes]]


class HTTPError(Exception):
    """An answer that says what was wrong, by a code for programs and a message for people."""

    def __init__(self, status: int, code: str, message: str, detail: str = "", retry_after: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.detail = detail
        self.retry_after = retry_after

    def fields(self) -> dict[str, str]:
        """``code`` and ``message`` are what Segment's and Rudder's clients look for, ``detail`` and ``error`` others."""
        return {"code": self.code, "message": self.message, "detail": self.detail or self.message, "error": self.code}

    def body(self) -> bytes:
        return msgspec.json.encode(self.fields())

    def headers(self) -> dict[str, str]:
        headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        if self.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        return headers
