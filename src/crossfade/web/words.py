"""The words of the page, which the browser gets with it: both say the same of the same reading. Pure."""

from collections.abc import Mapping

from crossfade.core.reading import Origin, Provenance, Reading, Reason

from .proof import Vouched
from .writing import clip

STATES = ("real", "cached", "legacy", "mock", "unavailable")
"""What a reading can be, for its reader; the later, the less it is to be trusted."""
PARTS = ("real", "cached", "legacy", "mock", "none", "unavailable")
"""What a value can be in the sum of the page: there is one that its source does not know, too."""

WORDS: Mapping[str, str] = {
    "real": "REAL",
    "cached": "CACHED",
    "legacy": "LEGACY",
    "mock": "MOCK",
    "unavailable": "UNAVAILABLE",
    "note.real": "",
    "note.cached": "Real, and old: the real source gives nothing newer.",
    "note.cached.failing": "The last good values: the real source is failing: {error}",
    "note.legacy": "From the legacy system.",
    "note.legacy.legacy": "From the legacy system: the real source failed: {error}",
    "note.mock": "Synthetic: made up, not measured.",
    "note.mock.flag": "Synthetic: made up, not measured. The flag {flag} is off.",
    "note.mock.ramp": "Synthetic: made up, not measured. Real figures go to a share of the viewers so far.",
    "note.mock.fallback": "Synthetic: made up, not measured. Fallback: the source failed: {error}",
    "note.unavailable": "No value to show: {error}",
    "no-reason": "no reason was given",
    "unknown-time": "an unknown time",
    "empty.waiting": "Waiting for the first event",
    "empty.zero": "A true zero, not a gap",
    "empty.nodata": "No data in this window",
    "empty.failed": "The source failed: {error}",
    "proof.none": "no reference",
    "proof.made-up": "made up: nothing to verify",
    "proof.recount": "verified by recount, n\u00a0=\u00a0{n}",
    "proof.second_reader": "verified by a second reader, n\u00a0=\u00a0{n}",
    "proof.legacy": "agrees with the legacy system, n\u00a0=\u00a0{n}",
    "proof.recount.wrong": "recount: {wrong} of {n} windows disagree",
    "proof.second_reader.wrong": "second reader: {wrong} of {n} looks disagree",
    "proof.legacy.wrong": "legacy system: {wrong} of {n} looks disagree",
    "extent.real": "measured {extent}",
    "extent.made-up": "{extent}, made up",
    "truth.real": "{count} of {all} values real",
    "truth.cached": "{count} cached {age}",
    "truth.legacy": "{count} legacy",
    "truth.mock": "{count} mock",
    "truth.none": "{count} without data",
    "truth.unavailable": "{count} unavailable",
    "waiting": "As of {at}; not live yet",
    "live": "Live",
    "paused": "Paused, as of {at}",
    "lost": "Stale: not connected, as of {at}",
}


def state_of(reading: Reading) -> str:
    """One of ``STATES``. What is synthetic is a mock, whatever source it claims."""
    provenance = reading.provenance
    if reading.payload is None:
        return "unavailable"
    if provenance.synthetic:
        return "mock"
    if provenance.source is Origin.REAL and provenance.reason is Reason.STALE:
        return "cached"
    return provenance.source.value


def note(state: str, provenance: Provenance, flag: str) -> str:
    """Why the component is not simply real; empty if it is."""
    why = "failing" if state == "cached" and provenance.error else provenance.reason.value
    words = WORDS.get(f"note.{state}.{why}", WORDS[f"note.{state}"])
    return words.replace("{flag}", flag).replace("{error}", clip(provenance.error or WORDS["no-reason"]))


def emptiness(state: str, value: object, *, waiting: bool) -> str:
    """Which kind of nothing a value is; empty if it is something.

    =========== ======= ======= =======
    state       value   waiting kind
    =========== ======= ======= =======
    unavailable –       –       failed
    real        0       yes     waiting
    any other   none    –       nodata
    not mock    0       –       zero
    =========== ======= ======= =======
    """
    if state == "unavailable":
        return "failed"
    if waiting and state == "real" and not value:
        return "waiting"
    if value is None:
        return "nodata"
    return "zero" if value == 0 and state != "mock" else ""


def part_of(state: str, empty: str) -> str:
    """As what the value counts: one of ``PARTS``."""
    return "none" if empty in {"waiting", "nodata"} else state


def proof(state: str, found: Vouched | None) -> str:
    """What vouches for the value that is shown: nothing for a mock, whatever the real source has proved."""
    if state in {"mock", "unavailable"}:
        return WORDS["proof.made-up"] if state == "mock" else ""
    if found is None or state == "legacy":
        return WORDS["proof.none"]
    wrong = found.compared - found.agreeing
    words = WORDS[f"proof.{found.reference}" + (".wrong" if wrong else "")]
    return words.replace("{n}", f"{found.compared:,}").replace("{wrong}", f"{wrong:,}")
