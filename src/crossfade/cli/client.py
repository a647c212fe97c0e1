"""The running server, as the commands talk to it."""

import getpass
import os
import socket
from collections.abc import Mapping
from pathlib import Path

import httpx

from crossfade.cli.errors import CommandError
from crossfade.datafolder import DataFolderError, server_note
from crossfade.keys import Keys, find
from crossfade.settings import default_data
from crossfade.tracking import Tracker
from crossfade.tracking.transport import Transport

DEFAULT_URL = "http://127.0.0.1:8787"
NO_WRITE_KEY = "there is no write key: name the server's data folder with --data, or set CROSSFADE_WRITE_KEY"

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]


class Client:
    """One server, with the keys of its data folder or of the environment."""

    def __init__(self, url: str | None, data: Path | None) -> None:
        """Raises CommandError when the data folder's keys cannot be read."""
        folder = data or Path(os.environ.get("CROSSFADE_DATA") or default_data())
        note = server_note(folder)
        self.url = url or (note.url if note else DEFAULT_URL)
        try:
            self._keys = _keys(folder, os.environ)
        except DataFolderError as error:
            raise CommandError(str(error)) from None
        self._http = httpx.Client(base_url=self.url, timeout=60, trust_env=False)

    def get(self, path: str, **query: str | int) -> Json:
        return self._ask("GET", path, None, query)

    def text(self, path: str, **query: str | int) -> str:
        """For what is no JSON."""
        return self._answer("GET", path, None, query).text

    def patch(self, path: str, body: Json, **query: str) -> Json:
        return self._ask("PATCH", path, body, query)

    def post(self, path: str, body: Json = None, **query: str) -> Json:
        return self._ask("POST", path, body, query)

    def delete(self, path: str) -> Json:
        return self._ask("DELETE", path, None, {})

    def transport(self) -> Transport:
        """For events. Raises CommandError when there is no write key."""
        if not self._keys.write_key:
            raise CommandError(NO_WRITE_KEY)
        return Transport(self.url, self._keys.write_key, patience=_patience(os.environ))

    def tracker(self, spool: Path) -> Tracker:
        """For events that must survive an absent server. Raises CommandError when there is no write key."""
        if not self._keys.write_key:
            raise CommandError(NO_WRITE_KEY)
        try:
            return Tracker(self.url, self._keys.write_key, spool=spool)
        except ValueError as error:
            raise CommandError(str(error)) from None

    def _ask(self, method: str, path: str, body: Json, query: Mapping[str, str | int]) -> Json:
        answer: Json = self._answer(method, path, body, query).json()
        return answer

    def _answer(self, method: str, path: str, body: Json, query: Mapping[str, str | int]) -> httpx.Response:
        headers = {"X-Crossfade-Actor": f"{getpass.getuser()}@{socket.gethostname()}"}
        if self._keys.admin_token:
            headers["Authorization"] = f"Bearer {self._keys.admin_token}"
        try:
            response = self._http.request(method, path, params=dict(query), headers=headers,
                                          json=body if method in {"PATCH", "POST"} else None)
        except httpx.TransportError as error:
            raise CommandError(f"no server answers at {self.url} ({error}): start one with `crossfade serve`, or name "
                               "it with --url") from None
        if response.is_success:
            return response
        raise CommandError(f"{self.url} answered {response.status_code}: {_message(response)}")


def _patience(environment: Mapping[str, str]) -> float:
    """Seconds for which an absent server is waited for."""
    try:
        return float(environment.get("CROSSFADE_PATIENCE_S", "30"))
    except ValueError:
        raise CommandError("CROSSFADE_PATIENCE_S is not a number of seconds") from None


def _keys(folder: Path, environment: Mapping[str, str]) -> Keys:
    kept = find(folder)
    return Keys(
        environment.get("CROSSFADE_ADMIN_TOKEN") or (kept.admin_token if kept else ""),
        environment.get("CROSSFADE_WRITE_KEY") or (kept.write_key if kept else ""),
    )


def _message(response: httpx.Response) -> str:
    try:
        answer = response.json()
    except ValueError:
        return response.text[:200]
    return str(answer.get("message", response.text[:200])) if isinstance(answer, dict) else response.text[:200]
