"""Options that most commands have."""

from pathlib import Path
from typing import Annotated

import typer

Url = Annotated[str | None, typer.Option(envvar="CROSSFADE_URL", help="The server, if it is not the one of the data "
                                         "folder.", show_default=False)]
Data = Annotated[Path | None, typer.Option(envvar="CROSSFADE_DATA", help="The server's data folder, where its address "
                                           "and its keys are.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
