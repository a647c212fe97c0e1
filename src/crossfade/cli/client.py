"""The running server, as the commands talk to it."""

import getpass
import os
import socket
from collections.abc import Mapping
from pathlib import Path

import httpx

from crossfade.cli.errors import CommandError, Refused, Unreachable
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

    def __init__(self, url: str | None, data: Path | None, *, timeout: float = 60) -> None:
        """``timeout``: seconds for which an answer is waited for.

        Raises CommandError when the data folder's keys cannot be read.
        """
        folder = data or default_folder()
        note = server_note(folder)
        self.url = url or (note.url if note else DEFAULT_URL)
        self._folder, self._folder_names_it = folder, url is None
        try:
            self._keys = _keys(folder, os.environ)
        except DataFolderError as error:
            raise CommandError(str(error)) from None
        self._http = httpx.Client(base_url=self.url, timeout=timeout, trust_env=False)

    def close(self) -> None:
        """Ends its connections. A command need not: it ends with them."""
        self._http.close()

    def relocate(self) -> None:
        """Takes the address that the data folder names now: the server may have started anew at another."""
        note = server_note(self._folder)
        if self._folder_names_it and note is not None:
            self.url = note.url
            self._http.base_url = httpx.URL(note.url)

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
        try:
            answer: Json = self._answer(method, path, body, query).json()
        except ValueError:
            raise CommandError(f"what answers at {self.url} is no Crossfade server") from None
        return answer

    def _answer(self, method: str, path: str, body: Json, query: Mapping[str, str | int]) -> httpx.Response:
        headers = {"X-Crossfade-Actor": f"{getpass.getuser()}@{socket.gethostname()}"}
        if self._keys.admin_token:
            headers["Authorization"] = f"Bearer {self._keys.admin_token}"
        try:
            response = self._http.request(method, path, params=dict(query), headers=headers,
                                          json=body if method in {"PATCH", "POST"} else None)
        except httpx.TransportError as error:
            raise Unreachable(f"no server answers at {self.url} ({error}): start one with `crossfade serve`, or name "
                              "it with --url") from None
        if response.is_success:
            return response
        refused = _object(response)
        told = str(refused.get("message", response.text[:200]))
        raise Refused(f"{self.url} answered {response.status_code}: {told}", response.status_code, refused)


def default_folder() -> Path:
    """Where the data lies, unless somebody says otherwise."""
    return Path(os.environ.get("CROSSFADE_DATA") or default_data())


def is_served(folder: Path) -> bool:
    """Whether the folder's server answers."""
    if server_note(folder) is None:
        return False
    try:
        Client(None, folder).get("/healthz")
    except CommandError:
        return False
    return True


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


def _object(response: httpx.Response) -> dict[str, Json]:
    """What an answer says as a JSON object; empty if it is none."""
    try:
        answer = response.json()
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}
