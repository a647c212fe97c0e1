"""The commands and their options. What a command does is in a file of its own, imported when it is called."""

import gc
import importlib
import sys
from pathlib import Path
from typing import Annotated

import typer

from crossfade.cli.errors import CommandError
from crossfade.cli.options import AsJson, Data, Url
from crossfade.cli.rollout.commands import app as rollout_app
from crossfade.cli.usergroup import users_app

app = typer.Typer(
    name="crossfade", no_args_is_help=True, pretty_exceptions_enable=False,
    rich_markup_mode=None,  # Rich takes longer to load than the rest of --help together
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
    help="Moves each number of a dashboard from mock to real, and never lets a fake look real.",
    epilog="Exit status: 0 done, 1 it could not be done, 2 wrong usage.",
)
flags_app = typer.Typer(no_args_is_help=False, help="Shows and sets the flags of a running server.")
app.add_typer(flags_app, name="flags")
app.add_typer(rollout_app, name="rollout")
alerts_app = typer.Typer(no_args_is_help=False, help="Shows, acknowledges and silences what is wrong.")
app.add_typer(alerts_app, name="alerts")
app.add_typer(users_app, name="users")


def _version(wanted: bool) -> None:
    if wanted:
        from crossfade import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _root(version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True,
                                                help="Print the version.")] = False) -> None:
    del version


def _load_structlog_alone() -> None:
    """It would load Rich, where that is installed, for tracebacks that a server never draws: 6 MB and 30 ms."""
    if "rich" in sys.modules:
        return
    sys.modules["rich"] = None  # type: ignore[assignment]
    importlib.import_module("structlog")
    del sys.modules["rich"]


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.", show_default="127.0.0.1")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.",
                                             show_default="8787")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder for everything that is kept.", show_default=False)] = None,
    config: Annotated[Path | None, typer.Option(envvar="CROSSFADE_CONFIG", exists=True, dir_okay=False,
                                                help="A TOML file of settings.", show_default=False)] = None,
) -> None:
    """Runs the server until Ctrl-C."""
    # Until it serves: what a start makes is there to stay, and looking for garbage in it is a good part of the start.
    gc.disable()
    _load_structlog_alone()
    from crossfade.cli import serve as command

    command.serve(command.settings(host, port, data, config))


@app.command()
def demo(
    path: Annotated[Path, typer.Argument(help="The folder to scan.", exists=True, file_okay=False)] = Path(),
    port: Annotated[int | None, typer.Option(help="Port of the page.", show_default="8787, or a free one")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder for the demo's data.", show_default=False)] = None,
    pause: Annotated[float, typer.Option(min=0, help="Seconds between two switches.")] = 4.0,
    exit_after: Annotated[bool, typer.Option("--exit", help="Stop when everything is real.")] = False,
) -> None:
    """Shows the main job: scans a folder for real, and turns each part of the dashboard from mock to real."""
    from crossfade.cli import demo as command

    command.demo(path, port=port, data=data, pause=pause, exit_after=exit_after)


@app.command()
def scan(
    path: Annotated[str, typer.Argument(help="A folder, or an fsspec URL.")],
    delete_duplicates: Annotated[bool, typer.Option("--delete-duplicates", help="Delete all but one of each set; "
                                                    "needs --yes.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Yes, delete.")] = False,
    track: Annotated[bool, typer.Option(help="Send what is found to the server.")] = True, *,
    url: Url = None, data: Data = None, as_json: AsJson = False,
) -> None:
    """Scans a storage tree, finds its duplicates, and tracks what it does as events."""
    from crossfade.cli import scan as command

    if delete_duplicates and not yes:
        raise typer.BadParameter("deleting files needs --yes as well", param_hint="--delete-duplicates")
    command.scan(path, delete=delete_duplicates, track=track, url=url, data=data, as_json=as_json)


@app.command()
def login(
    name: Annotated[str, typer.Argument(help="Whom it signs in.")] = "admin",
    browser: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False, *,
    url: Url = None, data: Data = None, as_json: AsJson = False,
) -> None:
    """Prints a link that signs in to the pages of a running server, once, within 15 minutes."""
    from crossfade.cli import login as command

    command.login(name, browser=browser, url=url, data=data, as_json=as_json)


@app.command("import")
def import_events(
    file: Annotated[str, typer.Argument(help="JSON lines, plain or .gz; - for standard input.")],
    url: Url = None, data: Data = None, as_json: AsJson = False,
) -> None:
    """Brings in events of the past, one a line; doing it twice changes nothing."""
    from crossfade.cli import importing as command

    command.import_file(file, url=url, data=data, as_json=as_json)


@app.command()
def track(
    event: Annotated[str | None, typer.Argument(help="The event's name.", show_default=False)] = None,
    user: Annotated[str | None, typer.Option(help="Who did it.", show_default=False)] = None,
    properties: Annotated[list[str] | None, typer.Option("--property", "-p", metavar="NAME=VALUE",
                                                         help="What else is to be said; may be repeated.")] = None,
    stdin: Annotated[bool, typer.Option("--stdin", help="Track each line of standard input, a JSON object with "
                                        "event, userId, properties, timestamp.")] = False, *,
    url: Url = None, data: Data = None, as_json: AsJson = False,
) -> None:
    """Sends an event, or one a line; what cannot be delivered waits in a spool."""
    from crossfade.cli import track as command

    if event is None and not stdin:
        raise typer.BadParameter("give the event's name, or --stdin", param_hint="EVENT")
    command.track(event, user=user, properties=properties or (), stdin=stdin, url=url, data=data, as_json=as_json)


@app.command()
def aggregate(url: Url = None, data: Data = None, as_json: AsJson = False) -> None:
    """Counts every closed day that lacks its statistics or has changed since. The server does it by itself too."""
    from crossfade.cli import aggregate as command

    command.aggregate(url=url, data=data, as_json=as_json)


def _component_names(incomplete: str) -> list[str]:
    names = ("businessMetrics", "systemMetrics", "infrastructureMetrics", "historicalData")
    return [name for name in names if name.lower().startswith(incomplete.lower())]


@app.command()
def rollback(
    components: Annotated[list[str] | None, typer.Argument(help="Which components.", show_default=False,
                                                           autocompletion=_component_names)] = None,
    everything: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
    reason: Annotated[str | None, typer.Option(help="Why, for the audit log.", show_default=False)] = None,
    timeout: Annotated[float, typer.Option(min=0, max=30, help="Seconds to wait until every process that follows the "
                                           "flags has said that it has them; 0 does not wait.")] = 2.0, *,
    url: Url = None, data: Data = None, as_json: AsJson = False,
) -> None:
    """Takes components off their real sources at once, in one transaction, tells every process that follows the flags,
    and says how long it took until the last one had them. Exit status 1 when a process is not known to have them.
    """
    from crossfade.cli import rollback as command

    if bool(components) == everything:
        raise typer.BadParameter("name components, or give --all", param_hint="COMPONENTS")
    command.rollback(components or (), reason=reason, timeout=timeout, url=url, data=data, as_json=as_json)


@app.command()
def retire(
    component: Annotated[str | None, typer.Argument(help="Whose mock is to go. Without it: how far all are.",
                                                    show_default=False, autocompletion=_component_names)] = None, *,
    reason: Annotated[str | None, typer.Option(help="Why, for the audit log.", show_default=False)] = None,
    despite: Annotated[str | None, typer.Option(metavar="REASON", help="Do not wait for the time that it should have "
                                                "been real only; why.", show_default=False)] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would happen, and change nothing.")] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Bring the mock and the flags back, within 30 days.")] = False,
    check: Annotated[Path | None, typer.Option(metavar="SRC", help="Find what is left of mocks in an application's "
                                               "code; needs no server.", show_default=False)] = None,
    only: Annotated[str | None, typer.Option("--component", help="With --check: what is of this component alone.",
                                             show_default=False)] = None,
    tests: Annotated[bool, typer.Option("--tests", help="With --check: search tests too.")] = False,
    url: Url = None, data: Data = None, as_json: AsJson = False,
) -> None:
    """Takes a component's mock away for good, once it has been real only for long enough; finds what is left of it.

    Exit status 1 when it may not be retired, or when the search finds something.
    """
    if check is not None:
        from crossfade.cli import leftovers as search

        if component is not None or undo or dry_run or despite is not None or reason is not None:
            raise typer.BadParameter("--check goes with --component, --tests and --json alone", param_hint="--check")
        search.check(check, component=only, tests=tests, as_json=as_json)
        return
    from crossfade.cli import retire as command

    if only is not None or tests:
        raise typer.BadParameter("it goes with --check", param_hint="--component" if only is not None else "--tests")
    if component is None and (undo or dry_run or reason is not None or despite is not None):
        raise typer.BadParameter("name a component", param_hint="COMPONENT")
    if undo and (dry_run or despite is not None):
        raise typer.BadParameter("--undo goes with --reason alone", param_hint="--undo")
    if component is None:
        command.show(url=url, data=data, as_json=as_json)
    elif undo:
        command.undo(component, reason=reason, url=url, data=data, as_json=as_json)
    else:
        command.retire(component, reason=reason, despite=despite, dry_run=dry_run, url=url, data=data,
                       as_json=as_json)


@app.command()
def checklist(
    sign: Annotated[str | None, typer.Option(metavar="CRITERION", help="State a criterion that nothing can measure: "
                                             "documentation.", show_default=False)] = None,
    reason: Annotated[str, typer.Option(help="On what ground, for the audit log.", show_default=False)] = "", *,
    url: Url = None, data: Data = None, as_json: AsJson = False,
) -> None:
    """Judges the guide's ten success criteria by what is measured. Exit status 1 unless all are met."""
    from crossfade.cli import checklist as command

    if sign is None:
        command.show(url=url, data=data, as_json=as_json)
        return
    if not reason.strip():
        raise typer.BadParameter("a statement needs a reason", param_hint="--reason")
    command.sign(sign, reason=reason, url=url, data=data, as_json=as_json)


@app.command()
def quality(
    component: Annotated[str | None, typer.Argument(help="One component, with all that is known of it.",
                                                    show_default=False)] = None,
    window: Annotated[str | None, typer.Option(help="15m, 24h, 7d, or a moment in ISO 8601 since when.",
                                               show_default="the server's")] = None, *,
    url: Url = None, data: Data = None, as_json: AsJson = False,
) -> None:
    """Says whether the figures can be trusted, and why. Exit status 1 when a component's quality fails."""
    from crossfade.cli import quality as command

    command.show(component, window=window, url=url, data=data, as_json=as_json)


@app.command()
def audit(
    since: Annotated[str, typer.Option(metavar="AGE|MOMENT|all", help="From when on: 7d, 12h, a moment in ISO 8601, "
                                       "or all.")] = "all",
    repair: Annotated[bool, typer.Option("--repair", help="Count anew, from the raw events, what does not "
                                         "agree.")] = False,
    url: Url = None, data: Data = None, as_json: AsJson = False,
) -> None:
    """Counts the events again and compares every figure with them. Exit status 1 when something does not agree."""
    from crossfade.cli import audit as command

    command.audit(since=since, repair=repair, url=url, data=data, as_json=as_json)


@flags_app.callback(invoke_without_command=True)
def flags(context: typer.Context, url: Url = None, data: Data = None, as_json: AsJson = False) -> None:
    """Without a command: shows the flags."""
    if context.invoked_subcommand is None:
        from crossfade.cli import flags as command

        command.show(url=url, data=data, as_json=as_json)


def _flag_names(incomplete: str) -> list[str]:
    from crossfade.core.flag import ALL, PERCENT

    return [f"{name}={value}" for name in ALL if name.startswith(incomplete)
            for value in (("0", "5", "25", "50", "100") if name.startswith(PERCENT) else ("true", "false"))]


@flags_app.command("set")
def set_flags(
    assignments: Annotated[list[str], typer.Argument(metavar="NAME=VALUE…", help="What to set, and to what: "
                                                     "use_real_business_metrics=true", autocompletion=_flag_names)],
    reason: Annotated[str | None, typer.Option(help="Why, for the audit log.", show_default=False)] = None,
    url: Url = None, data: Data = None, as_json: AsJson = False,
) -> None:
    """Sets flags, all of them or none; the next read sees it."""
    from crossfade.cli import flags as command

    command.change(assignments, reason=reason, url=url, data=data, as_json=as_json)


@flags_app.command("log")
def flags_log(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many changes.")] = 20,
    url: Url = None, data: Data = None, as_json: AsJson = False,
) -> None:
    """Shows who changed which flag, when and why, the newest first."""
    from crossfade.cli import flags as command

    command.log(limit, url=url, data=data, as_json=as_json)


@alerts_app.callback(invoke_without_command=True)
def alerts(context: typer.Context, url: Url = None, data: Data = None, as_json: AsJson = False) -> None:
    """Without a command: shows the open alerts."""
    if context.invoked_subcommand is None:
        from crossfade.cli import alerts as command

        command.show(everything=False, limit=100, url=url, data=data, as_json=as_json)


@alerts_app.command("list")
def list_alerts(
    everything: Annotated[bool, typer.Option("--all", help="Those that are closed or pending too.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 100, *,
    url: Url = None, data: Data = None, as_json: AsJson = False,
) -> None:
    """Shows the open alerts, the newest first, and whether they were delivered."""
    from crossfade.cli import alerts as command

    command.show(everything=everything, limit=limit, url=url, data=data, as_json=as_json)


@alerts_app.command("ack")
def acknowledge_alert(
    number: Annotated[int, typer.Argument(metavar="ID", help="The alert's number.")],
    note: Annotated[str | None, typer.Option(help="What is to be said about it.", show_default=False)] = None, *,
    url: Url = None, data: Data = None, as_json: AsJson = False,
) -> None:
    """Says that somebody knows: nothing more is told of the alert unless it gets worse."""
    from crossfade.cli import alerts as command

    command.acknowledge(number, note=note, url=url, data=data, as_json=as_json)


@alerts_app.command("silence")
def silence_alerts(
    component: Annotated[str, typer.Argument(help="A component, or a pattern with * and ?.")],
    check: Annotated[str, typer.Argument(help="A check of it, or a pattern.")] = "*",
    duration: Annotated[str, typer.Option("--for", metavar="DURATION", help="For how long: 30m, 2h, 1d.")] = "2h",
    reason: Annotated[str, typer.Option(help="Why, for the audit log.", show_default=False)] = "", *,
    url: Url = None, data: Data = None, as_json: AsJson = False,
) -> None:
    """Tells nothing of what matches for a while; it is recorded all the same."""
    from crossfade.cli import alerts as command

    if not reason.strip():
        raise typer.BadParameter("a silence needs a reason", param_hint="--reason")
    command.silence(component, check, duration=duration, reason=reason, url=url, data=data, as_json=as_json)


@alerts_app.command("silences")
def list_silences(url: Url = None, data: Data = None, as_json: AsJson = False) -> None:
    """Shows the silences that have not expired."""
    from crossfade.cli import alerts as command

    command.silences(url=url, data=data, as_json=as_json)


@alerts_app.command("unsilence")
def end_silence(
    number: Annotated[int, typer.Argument(metavar="ID", help="The silence's number.")],
    url: Url = None, data: Data = None, as_json: AsJson = False,
) -> None:
    """Ends a silence before its time."""
    from crossfade.cli import alerts as command

    command.unsilence(number, url=url, data=data, as_json=as_json)


@alerts_app.command("test")
def send_test(
    target: Annotated[str, typer.Argument(help="A target's name in the settings.")],
    url: Url = None, data: Data = None, as_json: AsJson = False,
) -> None:
    """Sends a test message to an alert target, at once."""
    from crossfade.cli import alerts as command

    command.test(target, url=url, data=data, as_json=as_json)


def main() -> None:
    """Runs a command; what it could not do is told in one sentence."""
    try:
        app()
    except CommandError as error:
        typer.secho(f"crossfade: {error}", err=True, fg=typer.colors.RED)
        sys.exit(1)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
