"""``crossfade retire --check``: what is left of mocks in an application's code. It needs no server."""

import re
from pathlib import Path

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.text import Text

from crossfade import leftovers
from crossfade.cli.client import Json
from crossfade.leftovers import By, Report

SHOWN = 200
"""Findings that are printed; --json has all."""
_NAME = re.compile("[a-z][A-Za-z0-9]{0,59}")


def check(source: Path, *, component: str | None, tests: bool, as_json: bool) -> None:
    """Exits with 1 when something is left, with 2 when there is nothing to search."""
    if component is not None and not _NAME.fullmatch(component):
        raise typer.BadParameter(f"{component!r} is no component: write it as in businessMetrics",
                                 param_hint="--component")
    report = _searched(source, component, tests=tests)
    if as_json:
        Console().print_json(data=_json(source, report))
    else:
        _tell(report, Console(soft_wrap=True), component)
    if report.findings:
        raise typer.Exit(1)


def _searched(source: Path, component: str | None, *, tests: bool) -> Report:
    console = Console(stderr=True)
    with Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), console=console,
                  disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task("listing files", total=None)
        try:
            listed = leftovers.files(source, tests=tests)
        except leftovers.SearchError as error:
            raise typer.BadParameter(str(error), param_hint="--check") from None
        bar.update(task, description="searching", total=len(listed.found))
        return leftovers.search(listed, component=component,
                                progress=lambda done: bar.update(task, completed=done))


def _tell(report: Report, console: Console, component: str | None) -> None:
    for file, found in report.findings[:SHOWN]:
        of = f" (of {found.component})" if found.component else ""
        by = " [by token]" if found.by is By.TOKENS else ""
        console.print(Text(f"{file}:{found.line}:{found.column}: {found.what}: {found.why}{of}{by}"))
    if len(report.findings) > SHOWN:
        console.print(Text(f"… and {len(report.findings) - SHOWN:,} more; --json has all"))
    for problem in report.problems:
        console.print(Text(f"{problem.file}: {problem.why}"))
    for sentence in _sentences(report, component):
        console.print(Text(sentence))


def _sentences(report: Report, component: str | None) -> list[str]:
    places = {file for file, _ in report.findings}
    of = f" of {component}" if component else ""
    left = f"{len(report.findings):,} left in {_files(len(places))}" if report.findings else "nothing is left"
    told = [f"{_files(report.searched)} searched: {left}{of}."]
    if any(found.by is By.TOKENS for _, found in report.findings):
        told.append("JavaScript and TypeScript are searched by token, not by syntax tree: look before you delete.")
    counted = (
        (report.others, "more of other components, or of none by their names"),
        (report.waived, "waived by a comment: crossfade: keep"),
        (report.tests, "files of tests passed over; --tests searches them too"),
        (sum(problem.missed for problem in report.problems),
         "could not be searched, as named above: something may be left there"),
    )
    return told + [f"{count:,} {words}." for count, words in counted if count]


def _files(count: int) -> str:
    return f"{count:,} file" if count == 1 else f"{count:,} files"


def _json(source: Path, report: Report) -> dict[str, Json]:
    return {
        "source": str(source), "searched": report.searched, "left": len(report.findings),
        "findings": [
            {"file": file, "line": found.line, "column": found.column, "what": found.what, "why": found.why,
             "component": found.component, "by": found.by.value} for file, found in report.findings
        ],
        "others": report.others, "waived": report.waived, "testsPassedOver": report.tests,
        "problems": [{"file": problem.file, "why": problem.why, "missed": problem.missed}
                     for problem in report.problems],
    }
