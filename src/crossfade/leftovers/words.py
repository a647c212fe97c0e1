"""Which names speak of mocks, which of flags, and of whose."""

import re
from collections.abc import Sequence
from functools import lru_cache

from crossfade.core.flag import BUILT_IN, PERCENT, SHADOW, USE_REAL, camel

from .finding import Finding

MOCK_WORDS = frozenset({
    "mock", "mocks", "mocked", "mocking", "mockdb", "mockdata", "fake", "fakes", "faked", "faker", "fakedata", "dummy",
    "dummies", "dummydata", "synthetic",
})
A_FLAG = "a flag of the switch to real data"
THE_FALLBACK = "the flag that lets a mock stand in"
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_TOKEN = re.compile(r"[A-Za-z$_][A-Za-z0-9$_-]*")
_GENERAL = frozenset({"metrics", "metric", "data", "stats"})
_MAYBE_MOCK = re.compile("mock|fake|dumm|synthetic", re.IGNORECASE)
_MAYBE_FLAG = re.compile("real|fallback|percent|shadow", re.IGNORECASE)
_SHARES = {PERCENT.rstrip("_"), SHADOW.rstrip("_")}
_LONGEST = 200
"""Characters of a name; what is longer is none."""
_TELLING = 5
"""Letters that two words share when one is a form of the other: history, historical."""
BUILT_IN_COMPONENTS = tuple(camel(flag.removeprefix(USE_REAL)) for flag in BUILT_IN if flag.startswith(USE_REAL))


def words(name: str) -> list[str]:
    """``generateMockMetrics``, ``GENERATE_MOCK_METRICS`` and ``generate-mock-metrics`` alike, in lower case."""
    return [word.lower() for word in _WORD.findall(name)]


@lru_cache(maxsize=10)
def suspicious(components: tuple[str, ...]) -> re.Pattern[str]:
    """A text in ASCII without any of these has no leftovers, and need not be read any further."""
    first = "|".join(re.escape(words(component)[0]) for component in components if words(component))
    return re.compile("mock|fake|dumm(?:y|ies)|synthetic|use[_-]?real|fallback[_-]?on[_-]?error"
                      f"|(?:percent|shadow)[_-]?(?:{first})", re.IGNORECASE)


def is_mock(name: str) -> bool:
    """Whether one of the name's words says that something is made up."""
    return _MAYBE_MOCK.search(name) is not None and not MOCK_WORDS.isdisjoint(words(name))


def flag_of(name: str, components: Sequence[str]) -> tuple[str, str | None] | None:
    """What kind of flag a name is, in any spelling and with any prefix, and whose; None for none.

    A share or a shadow is one of the components that are given: other things have a percentage too.
    """
    if len(name) > _LONGEST or _MAYBE_FLAG.search(name) is None:
        return None
    parts = words(name)
    for index in range(len(parts) - 1):
        if parts[index:index + 2] == ["use", "real"] and (rest := parts[index + 2:]):
            return A_FLAG, camel("_".join(rest))
        if parts[index:index + 3] == ["fallback", "on", "error"]:
            return THE_FALLBACK, None
        if parts[index] in _SHARES and (whole := camel("_".join(parts[index + 1:]))) in components:
            return A_FLAG, whole
    return None


def in_string(text: str, components: Sequence[str]) -> list[tuple[str, str, str | None]]:
    """The flags that a string names: the word, what it is, whose it is."""
    found: list[tuple[str, str, str | None]] = []
    if _MAYBE_FLAG.search(text) is None:
        return found
    for match in _TOKEN.finditer(text):
        token = match[0]
        flag = flag_of(token, components)
        if flag is None and len(token) <= _LONGEST and words(token)[-2:] == ["use", "real"] and token.endswith("_"):
            flag = A_FLAG, None  # the beginning of a name that is put together
        if flag is not None:
            found.append((token, *flag))
    return found


def whose(name: str, components: Sequence[str]) -> str | None:
    """The first component of which the name has all words that are not general: ``MockHistory``, historicalData."""
    have = {word[:_TELLING] for word in words(name)}
    for component in components:
        wanted = {word[:_TELLING] for word in words(component) if word not in _GENERAL}
        if wanted and wanted <= have:
            return component
    return None


def concerns(found: Finding, component: str) -> bool:
    """Whether a finding is this component's."""
    return found.component is not None and words(found.component) == words(component)
