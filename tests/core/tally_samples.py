"""A component that does well, and any that can be, for the tests of quality and of alerts."""

from typing import Any

from hypothesis import strategies as st

from crossfade.core.clock import SECOND
from crossfade.core.comparison import Reference
from crossfade.core.quality import Quality, assess
from crossfade.core.tally import Agreement, Example, Tally
from crossfade.core.threshold import GUIDE, Ledger, Thresholds, Window

NOW = 1_790_000_000_000_000
WINDOW = Window(NOW - 900 * SECOND, NOW)
PROVED = {"recount": Agreement(100, 100)}


def tally(**changes: Any) -> Tally:
    """A component that does well, but for the changes."""
    return Tally(**{
        "component": "c", "calls": {"real": 100}, "expected": 600, "present": 600, "valid": 600,
        "latency": {150: 100}, "newest": (NOW, NOW), "served": {"real/flag": 100}, "compared": PROVED, **changes})


def quality(thresholds: Thresholds = GUIDE, ledger: Ledger | None = None, **changes: Any) -> Quality:
    return assess(tally(**changes), WINDOW, thresholds, now=NOW, ledger=ledger)


counts = st.integers(-3, 200) | st.integers(-2**63, 2**63 - 1)
names = st.sampled_from(["real", "mock", "legacy", "unavailable", "other", ""])
agreements = st.builds(Agreement, counts, counts, counts)
served = st.sampled_from([
    "real/flag", "real/stale", "mock/flag", "mock/fallback", "legacy/flag", "unavailable/failed", "odd", "a/b/c"])
examples = st.builds(Example, counts, st.sampled_from(["invalid", "mismatch", "error", "odd"]), st.text(), st.text())
tallies = st.builds(
    Tally, st.just("c"), st.none() | counts, st.none() | counts, st.dictionaries(names, counts),
    st.dictionaries(names, st.dictionaries(names, counts)), counts, counts, counts,
    st.dictionaries(counts, counts), st.none() | st.tuples(counts, counts), st.none() | counts, counts,
    st.dictionaries(served, counts), counts, counts, counts,
    st.dictionaries(st.sampled_from([*Reference, "odd"]).map(str), agreements), st.lists(examples).map(tuple))
ledgers = st.none() | st.builds(Ledger, counts, counts)
