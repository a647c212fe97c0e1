"""Writes docs/reference.md from the code: `make docs`. A test fails while the two differ."""

import ast
import inspect
import itertools
import re
import types
import typing
from collections.abc import Iterator
from pathlib import Path

import msgspec
import typer.main
from litestar.routes import HTTPRoute

from crossfade.cli.main import app as cli
from crossfade.core import event, flag, payloads
from crossfade.core.reading import Origin, Reason
from crossfade.settings import Settings
from crossfade.web import metrics as served
from crossfade.web import server
from crossfade.web.events import CALLS, PREFIX
from crossfade.web.exposition import Metric

TARGET = Path(__file__).parent.parent / "docs" / "reference.md"

SETTINGS = ("By environment variable, or in lower case without the prefix in the TOML file that `CROSSFADE_CONFIG` or "
            "`serve --config` names. The environment wins.")
FLAGS = ("Seeded at the first start from the environment, by the name in capitals, with or without `NEXT_PUBLIC_`; "
         "changed at run time by `crossfade flags set` or `PATCH /api/flags`.")
METRICS = ("What `GET /metrics` tells. Per cent are from 0 to 100; what is unknown has no sample. `_window_…` counts "
           "over the quality window, a counter since the start, the ledger and the events since the first start.")
WHO = {"may_administer": "admin", "may_change": "operator", "may_follow": "reader, write key",
       "may_read": "reader", "signed_in": "signed in"}
ROLES = ("Whoever acts is signed in with a role, or gives the admin token, as `Authorization: Bearer <token>`, and is "
         "an admin. Admins may do what operators may, and those what viewers may. A reader is a viewer; on loopback it "
         "is anyone, unless `CROSSFADE_REQUIRE_SIGN_IN` is set.")
ENVIRONMENT = {
    "CROSSFADE_CONFIG": "A TOML file of settings, as `serve --config`.",
    "CROSSFADE_URL": "The server that commands talk to, as `--url`.",
    "CROSSFADE_ADMIN_TOKEN": "The admin token, in place of the data folder's. A server keeps it there.",
    "CROSSFADE_WRITE_KEY": "The write key, in place of the data folder's. A server keeps it there.",
    "CROSSFADE_PATIENCE_S": "Seconds for which `import`, `scan` and `demo` wait for an absent or busy server; 30.",
}
COMPONENTS = {
    "businessMetrics": payloads.BusinessMetrics,
    "systemMetrics": payloads.SystemMetrics,
    "systemMetrics.processes[]": payloads.ProcessMetrics,
    "infrastructureMetrics": payloads.InfrastructureMetrics,
    "infrastructureMetrics.services[]": payloads.Service,
    "infrastructureMetrics.queue": payloads.IngestQueue,
    "infrastructureMetrics.disk": payloads.Disk,
    "historicalData[]": payloads.HistoryPoint,
}


def main() -> None:
    TARGET.write_text(reference())


def reference() -> str:
    parts = (settings(), flags(), events(), components(), routes(), metrics(), commands())
    head = ["# Reference", "", "Made from the code by `make docs`.", ""]
    return "\n".join([*head, *(line for part in parts for line in part)]).replace("``", "`")


def settings() -> Iterator[str]:
    yield from ("## Settings", "", SETTINGS, "", "| variable | default | meaning |", "| --- | --- | --- |")
    for name, field in Settings.model_fields.items():
        default = "the XDG data folder" if name == "data" else _literal(field.get_default(call_default_factory=True))
        yield f"| `CROSSFADE_{name.upper()}` | {default} | {field.description} |"
    for name, meaning in ENVIRONMENT.items():
        yield f"| `{name}` | – | {meaning} |"
    yield ""


def flags() -> Iterator[str]:
    yield from ("## Flags", "", FLAGS, "", "| flag | in JSON | default |", "| --- | --- | --- |")
    for name in flag.ALL:
        yield f"| `{name}` | `{flag.camel(name)}` | {_flag_default(name)} |"
    yield ""


def events() -> Iterator[str]:
    yield from ("## Events", "", f"`POST {PREFIX}…` with the write key by Basic auth: "
                + ", ".join(f"`{call}`" for call in sorted(CALLS)) + ".", "",
                "Built-in names: " + ", ".join(f"`{name}`" for name in event.BUILT_IN) + ". Any other is welcome.", "",
                "An event is rejected alone, for one of: " + ", ".join(f"`{why}`" for why in event.Why) + ".", "")


def components() -> Iterator[str]:
    yield from ("## Components", "", "Sources: " + ", ".join(f"`{origin}`" for origin in Origin)
                + ". Reasons: " + ", ".join(f"`{reason}`" for reason in Reason) + ".", "")
    for name, struct in COMPONENTS.items():
        yield from (f"### {name}", "", inspect.getdoc(struct) or "", "", "| field | type | valid | meaning |",
                    "| --- | --- | --- | --- |")
        meanings, hints = _meanings(struct), typing.get_type_hints(struct)
        for field in msgspec.structs.fields(struct):
            yield (f"| `{field.encode_name}` | {_type(hints[field.name])} | {_valid(field.type)} "
                   f"| {meanings.get(field.name, '')} |")
        yield ""


def routes() -> Iterator[str]:
    yield from ("## HTTP", "", ROLES, "", "| route | who | meaning |", "| --- | --- | --- |",
                "| `GET /schema/openapi.json` | anyone | This API, for programs. |")
    for call in sorted(CALLS):
        yield f"| `POST {PREFIX}{call}` | write key | The Segment spec's call. |"
    handlers = (handler for part in server.PARTS for handler in part.HANDLERS)
    for handler in sorted(handlers, key=lambda handler: min(handler.paths)):
        method, path = min(handler.http_methods), re.sub(r":\w+}", "}", min(handler.paths))
        yield f"| `{method} {path}` | {_who(handler)} | {_first_line(handler.fn)} |"
    yield ""


def metrics() -> Iterator[str]:
    found = [value for value in vars(served).values() if isinstance(value, Metric)]
    yield from ("## Metrics", "", METRICS, "", "| metric | type | labels | meaning |", "| --- | --- | --- | --- |")
    for metric in sorted([*found, *(metric for metric, _ in served.FIGURES)], key=lambda metric: metric.name):
        labels = ", ".join(f"`{label}`" for label in metric.labels) or "–"
        yield f"| `{metric.name}` | {metric.kind} | {labels} | {metric.help} |"
    yield ""


def _flag_default(name: str) -> str:
    value = flag.default(name)
    return f"{value} %" if name.startswith(flag.PERCENT) else "on" if value else "off"


def commands() -> Iterator[str]:
    yield from ("## Commands", "")
    group = typer.main.get_command(cli)
    for name, command in _walk("crossfade", group):
        yield from (f"### {name}", "", (command.help or "").strip(), "", "| option | meaning |", "| --- | --- |")
        for parameter in command.params:
            names = ", ".join(f"`{option}`" for option in parameter.opts) if parameter.param_type_name == "option" \
                else f"`{parameter.metavar or parameter.name.upper()}`"
            meaning = (getattr(parameter, "help", None) or "").strip()
            if parameter.name not in {"help", "install_completion", "show_completion"}:
                yield f"| {names} | {meaning} |"
        yield ""


def _walk(name, command):
    yield name, command
    for child, inner in sorted(getattr(command, "commands", {}).items()):
        yield from _walk(f"{name} {child}", inner)


def _who(handler) -> str:
    guards = {guard.__name__ for guard in handler.guards or ()}
    return next((who for guard, who in WHO.items() if guard in guards), "anyone")


def _first_line(function) -> str:
    return (inspect.getdoc(function) or "").split("\n\n")[0].replace("\n", " ")


def _literal(value: object) -> str:
    return "–" if value is None or value in ({}, []) else f"`{value}`"


def _type(kind: object) -> str:
    args = [arg for arg in typing.get_args(kind) if arg not in {types.NoneType, ...}]
    if typing.get_origin(kind) is tuple:
        return f"list of {_type(args[0])}"
    if args:
        return ", ".join(_type(arg) for arg in args) + ", may be null" * (types.NoneType in typing.get_args(kind))
    return kind.__name__


def _valid(kind: object) -> str:
    """The range and the unit that a field's values are checked against."""
    found = [note for part in (kind, *typing.get_args(kind)) for note in getattr(part, "__metadata__", ())]
    for meta in found:
        unit = (meta.extra or {}).get("unit", "")
        if meta.pattern is not None:
            return ", ".join(f"`{word}`" for word in meta.pattern.strip("^()$").split("|"))
        if meta.min_length is not None:
            return f"{meta.min_length} characters"
        span = f"at least {meta.ge}" if meta.le is None else f"{meta.ge} to {meta.le:,}"
        return f"{span} {unit}".strip()
    return "–"


def _meanings(struct: type) -> dict[str, str]:
    """The text that stands below each field in the source."""
    body = ast.parse(inspect.getsource(struct)).body[0].body
    return {
        field.target.id: below.value.value.replace("\n", " ")
        for field, below in itertools.pairwise(body)
        if isinstance(field, ast.AnnAssign) and isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
    }


def all_routes(app) -> set[str]:
    """What the server really serves, for the test that nothing is undocumented."""
    return {
        f"{method} {route.path_format}" for route in app.routes if isinstance(route, HTTPRoute)
        for method in route.methods - {"OPTIONS", "HEAD"}
    }


if __name__ == "__main__":
    main()
