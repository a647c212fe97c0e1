"""``crossfade rollout report``: the report of a rollout, printed or written into a file."""

import json
import os
import stat
import tempfile
from pathlib import Path
from typing import Literal

import typer

from crossfade.cli.client import Client
from crossfade.cli.errors import CommandError

PATH = "/api/monitoring/migration-report"
Format = Literal["json", "html"]


def report(number: int | None, *, output: Path | None, chosen: Format | None, url: str | None,
           data: Path | None) -> None:
    """As JSON, or as a page that stands by itself. Raises CommandError when it cannot be had or written."""
    client = Client(url, data)
    query: dict[str, str | int] = {} if number is None else {"rollout": str(number)}
    if (chosen or _format_of(output)) == "html":
        text = client.text(PATH, format="html", alone="true", **query)
    else:
        text = json.dumps(client.get(PATH, **query), indent=2, ensure_ascii=False) + "\n"
    if output is None or str(output) == "-":
        typer.echo(text, nl=False)
        return
    write(output, text)
    typer.echo(f"The report is in {output}.")


def write(path: Path, text: str) -> None:
    """Replaces the file in one step, so that there is never half a report. Raises CommandError."""
    try:
        if path.exists() and not stat.S_ISREG(path.stat().st_mode):
            path.write_text(text)  # a pipe or a device is written to, and not replaced
            return
        descriptor, half = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:100]}.", suffix=".part")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
                os.fchmod(file.fileno(), 0o666 & ~_umask())
            Path(half).replace(path)
        except BaseException:
            Path(half).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror or error}") from None


def _format_of(output: Path | None) -> Format:
    return "html" if output is not None and output.suffix.lower() in {".html", ".htm"} else "json"


def _umask() -> int:
    """Which is only told when it is set."""
    found = os.umask(0o077)
    os.umask(found)
    return found
