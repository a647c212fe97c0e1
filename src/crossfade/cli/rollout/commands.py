"""The commands of ``crossfade rollout`` and their options. Each is imported when it is called."""

from contextlib import closing
from pathlib import Path
from typing import Annotated, Literal

import typer

from crossfade.cli.options import AsJson, Data, Url, Yes

app = typer.Typer(
    no_args_is_help=True, help="Carries a plan out: each phase begins when the one before has proved itself.",
    epilog="Exit status: 0 done, or it goes on; 1 it was refused, reverted, or does not go on; 2 wrong usage.",
)


def _file(context: typer.Context) -> Path | None:
    found = context.params.get("plan")
    return Path(found) if isinstance(found, str | Path) else None


def _phases(context: typer.Context, incomplete: str) -> list[str]:
    """Of the plan that is to be started."""
    from crossfade.cli.errors import CommandError
    from crossfade.cli.rollout import plan as command
    from crossfade.core.plan import Plan
    from crossfade.core.planfile import DEFAULT, parse

    file = _file(context)
    try:
        found = parse(DEFAULT if file is None else command.text(file))
    except CommandError:
        return []  # a shell that completes has nowhere to be told
    return [name for name in found.names if name.startswith(incomplete)] if isinstance(found, Plan) else []


def _numbers(context: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Of the rollouts that the server knows, each with its plan."""
    from crossfade.cli.client import Client
    from crossfade.cli.errors import CommandError
    from crossfade.cli.rollout import answer

    url, data = context.params.get("url"), context.params.get("data")
    try:
        with closing(Client(url if isinstance(url, str) else None, Path(data) if data else None, timeout=1)) as client:
            found = answer.rollouts(client.get("/api/rollouts"))
    except CommandError:
        return []
    return [(str(one.id), one.plan) for one in found if str(one.id).startswith(incomplete)]


def _number(text: str) -> str:
    if text == "latest" or (text.isdecimal() and text.isascii() and len(text) < 18):
        return text
    raise typer.BadParameter(f"{text!r} is no number of a rollout")


Number = Annotated[str, typer.Argument(help="The rollout's number.", autocompletion=_numbers, callback=_number,
                                       show_default="the latest")]
Reason = Annotated[str | None, typer.Option(help="Why, for the audit log.", show_default=False)]


@app.command("plan")
def plan(
    file: Annotated[Path | None, typer.Argument(help="A plan of your own, in TOML, to be checked.",
                                                dir_okay=False, show_default=False)] = None,
    as_json: AsJson = False,
) -> None:
    """Prints the built-in plan, to begin with; or checks one, and names each problem with its line."""
    from crossfade.cli.rollout import plan as command

    command.plan(file, as_json=as_json)


@app.command("start")
def start(
    *,
    plan: Annotated[Path | None, typer.Option(help="A plan of your own, in TOML; else the built-in one.",
                                              dir_okay=False, show_default=False)] = None,
    at: Annotated[str | None, typer.Option(metavar="PHASE", help="The phase to begin with; those before are left out.",
                                           show_default="the first", autocompletion=_phases)] = None,
    reason: Reason = None,
    despite: Annotated[str | None, typer.Option(metavar="REASON", help="Begin though the preflight fails, and why.",
                                                show_default=False)] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Watch it to its end.")] = False,
    yes: Yes = False, url: Url = None, data: Data = None, as_json: AsJson = False,
) -> None:
    """Shows what will happen, asks, looks whether all is ready, and starts."""
    from crossfade.cli.rollout import start as command

    if despite is not None and not despite.strip():
        raise typer.BadParameter("say why", param_hint="--despite")
    command.start(plan, at=at, reason=reason, despite=despite, follow=watch, yes=yes, url=url, data=data,
                  as_json=as_json)


@app.command("status")
def status(number: Number = "latest", *, url: Url = None, data: Data = None, as_json: AsJson = False) -> None:
    """Says what the rollout does and why, what is needed, and how its gates stand.

    Exit status 1 when it is paused, goes back, was reverted, or stands still.
    """
    from crossfade.cli.rollout import status as command

    command.status(number, url=url, data=data, as_json=as_json)


@app.command("watch")
def watch(number: Number = "latest", *, url: Url = None, data: Data = None, as_json: AsJson = False) -> None:
    """Shows the rollout as it goes, to its end. Exit status 1 when it is reverted; Ctrl-C leaves it running.

    Not on a terminal: a line at each change.
    """
    from crossfade.cli.rollout import watch as command

    command.watch(number, url=url, data=data, as_json=as_json)


@app.command("pause")
def pause(reason: Reason = None, *, url: Url = None, data: Data = None, as_json: AsJson = False) -> None:
    """Keeps the rollout from going on. The flags stay as they are; a gate that fails throughout still takes it back."""
    _steer("pause", reason, url, data, as_json)


@app.command("resume")
def resume(reason: Reason = None, *, url: Url = None, data: Data = None, as_json: AsJson = False) -> None:
    """Lets it go on. A flag that somebody else changed meanwhile is set again, and soaks anew."""
    _steer("resume", reason, url, data, as_json)


@app.command("approve")
def approve(reason: Reason = None, *, url: Url = None, data: Data = None, as_json: AsJson = False) -> None:
    """Says yes to the phase that waits for it."""
    _steer("approve", reason, url, data, as_json)


@app.command("abort")
def abort(reason: Reason = None, yes: Yes = False, *, url: Url = None, data: Data = None,
          as_json: AsJson = False) -> None:
    """Takes everything back that the plan sets, and ends the rollout."""
    _steer("abort", reason, url, data, as_json, yes=yes)


@app.command("skip")
def skip(
    reason: Annotated[str, typer.Option(help="Why, for the audit log; it must be said.", show_default=False)], *,
    url: Url = None, data: Data = None, as_json: AsJson = False,
) -> None:
    """Skips the rest of the soak. The gates must pass all the same."""
    if not reason.strip():
        raise typer.BadParameter("skipping a soak needs a reason", param_hint="--reason")
    _steer("skip", reason, url, data, as_json)


def _steer(action: str, reason: str | None, url: str | None, data: Path | None, as_json: bool, *,
           yes: bool = True) -> None:
    from crossfade.cli.rollout import steer as command
    from crossfade.core.rollout import Action

    command.steer(Action(action), reason=reason, url=url, data=data, as_json=as_json, yes=yes)


@app.command("history")
def history(
    number: Annotated[str | None, typer.Argument(help="One rollout: every step, by whom, and why.",
                                                 autocompletion=_numbers, show_default=False)] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="With flags, figures and evidence, and how it stood "
                                          "minute by minute.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many rollouts, the newest first.")] = 20, *,
    url: Url = None, data: Data = None, as_json: AsJson = False,
) -> None:
    """Tells of all rollouts, or of each step of one."""
    from crossfade.cli.rollout import history as command

    if number is None:
        command.all_of_them(limit, url=url, data=data, as_json=as_json)
    else:
        command.one(_number(number), verbose=verbose, url=url, data=data, as_json=as_json)


def _faults(incomplete: str) -> list[str]:
    from crossfade.core.fault import FAULTS

    return [name for name in FAULTS if name.startswith(incomplete)]


@app.command("rehearse")
def rehearse(
    file: Annotated[Path | None, typer.Argument(metavar="[PLAN]", help="A plan in TOML; the built-in one without.",
                                                dir_okay=False, show_default=False)] = None,
    against: Annotated[str | None, typer.Option(metavar="yesterday|DATE|7d", help="What the server recorded then, in "
                                                "place of a system in which nothing is wrong.",
                                                show_default=False)] = None,
    faults: Annotated[list[str] | None, typer.Option(
        "--fault", metavar="NAME[@PHASE|@+10min]", show_default=False, autocompletion=_faults,
        help="What goes wrong, and where; may be repeated. `--fault list` tells which there are.")] = None,
    start: Annotated[str | None, typer.Option(metavar="MOMENT", help="When it begins, in ISO 8601.",
                                              show_default="now, or when what is recorded begins")] = None, *,
    url: Url = None, data: Data = None, as_json: AsJson = False,
) -> None:
    """Runs a plan on a clock of its own and tells what would happen when. Exit status 1 when it would not complete.

    Nothing is changed. With a server's address the server rehearses, from its own flags and components.
    """
    from crossfade.cli.rollout import rehearse as command

    command.rehearse(file, against=against, faults=faults or (), start=start, url=url, data=data, as_json=as_json)


@app.command("drill")
def drill(
    everything: Annotated[bool, typer.Option("--all", help="With the components' own flags, where the setting "
                                             "drill_all_components allows it.")] = False,
    past: Annotated[bool, typer.Option("--list", help="Show the drills that were made.")] = False, *,
    url: Url = None, data: Data = None, as_json: AsJson = False,
) -> None:
    """Rehearses a rollback with real flags and every process, and times it. Exit status 1 when it does not pass."""
    from crossfade.cli.rollout import drill as command

    if past:
        command.past(url=url, data=data, as_json=as_json)
    else:
        command.drill(everything=everything, url=url, data=data, as_json=as_json)


@app.command("report")
def report(
    number: Annotated[int | None, typer.Argument(min=1, help="Which rollout.", show_default="the latest")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", dir_okay=False, show_default="standard output",
                                                help="A file; .html gives a page that prints well.")] = None,
    chosen: Annotated[Literal["json", "html"] | None, typer.Option("--format", show_default="by the file's name",
                                                                 help="json or html.")] = None, *,
    url: Url = None, data: Data = None,
) -> None:
    """Reports a rollout: phases, gates over time, who did what, incidents, the success criteria."""
    from crossfade.cli import report as command

    command.report(number, output=output, chosen=chosen, url=url, data=data)
