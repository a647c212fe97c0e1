"""The audit log as the migration dashboard shows it: what is asked for, a page of it, and the page before. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

import msgspec

from crossfade.core.clock import iso, micros, read_iso
from crossfade.state.audit import AuditEntry, AuditFilter

from .live import Json
from .migrationview import PAGE
from .writing import clip, moment

FIELDS = ("who", "action", "subject", "since", "until")
LONGEST = 100
ROWS = 50


@dataclass(frozen=True, slots=True)
class AuditLine:
    """One change."""

    at: str
    at_text: str
    who: str
    action: str
    subject: str
    change: str
    reason: str


@dataclass(frozen=True, slots=True)
class AuditPage:
    """A page of the log, the newest first."""

    asked: Mapping[str, str]
    trouble: str
    lines: tuple[AuditLine, ...]
    older: str
    """Address of the next page; empty on the last."""
    newest: str
    """Address of the first page."""


def asked_for(query: Mapping[str, str]) -> tuple[AuditFilter, dict[str, str], str]:
    """What is wanted, as it was written, and what of it is not understood. Moments without a zone are UTC."""
    written = {name: query.get(name, "").strip()[:LONGEST] for name in FIELDS}
    moments, trouble = {}, ""
    for name in ("since", "until"):
        read = read_iso(written[name]) if written[name] else None
        moments[name] = None if read is None else micros(read)
        if written[name] and read is None:
            trouble = f"{written[name]!r} is no moment: write it as 2026-01-31T18:00"
    wanted = AuditFilter(written["who"], written["action"], written["subject"], moments["since"], moments["until"])
    return wanted, written, trouble


def entry_json(entry: AuditEntry) -> dict[str, Json]:
    """An entry for programs."""
    return {**msgspec.to_builtins(entry), "at": iso(entry.at)}


def before(query: Mapping[str, str]) -> int | None:
    """The entry behind which the page begins."""
    told = query.get("before", "")
    return int(told) if told.isascii() and told.isdecimal() and len(told) < 18 else None


def audit_page(entries: Sequence[AuditEntry], written: Mapping[str, str], trouble: str) -> AuditPage:
    """Made of one entry more than fits, if there are older ones."""
    here = entries[:ROWS]
    older = {"before": str(here[-1].id)} if len(entries) > ROWS else {}
    return AuditPage(written, trouble, audit_lines(here), _address(written, older) if older else "",
                     _address(written, {}))


def audit_lines(entries: Sequence[AuditEntry]) -> tuple[AuditLine, ...]:
    return tuple(AuditLine(iso(each.at), moment(iso(each.at)), each.who, each.action, each.subject, _change(each),
                           clip(each.reason or "")) for each in entries)


def _change(entry: AuditEntry) -> str:
    if entry.old is None:
        return clip(entry.new or "")
    return clip(entry.old) if entry.new is None else f"{clip(entry.old)} → {clip(entry.new)}"


def _address(written: Mapping[str, str], more: Mapping[str, str]) -> str:
    told = {name: value for name, value in {**written, **more}.items() if value}
    return f"{PAGE}/audit" + (f"?{urlencode(told)}" if told else "")
