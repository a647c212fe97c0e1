"""What became of one component over a span of time, in a fixed size: slots add up to windows, processes to a whole.

``merge`` is associative and commutative, so that it makes no difference who adds up what, or when.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from functools import reduce

import msgspec
from msgspec import Struct, field

from .check import moment
from .comparison import Comparison
from .observation import Observation, Served
from .reading import Origin
from .sketch import bucket, merged
from .summed import summed
from .value import clip, short

KEPT = 2
"""Examples of each sort: the newest."""


class Agreement(Struct, frozen=True, rename="camel", omit_defaults=True):
    """How often the real value agreed with one kind of reference."""

    agreeing: int = 0
    compared: int = 0
    within_noise: int = 0
    """Of the agreeing ones, those that agree only because the reference is not steady itself."""

    def __add__(self, other: "Agreement") -> "Agreement":
        return Agreement(self.agreeing + other.agreeing, self.compared + other.compared,
                         self.within_noise + other.within_noise)


class Example(Struct, frozen=True, order=True, rename="camel", omit_defaults=True):
    """One thing that went wrong. Of those that differ only in time and value the newest is kept."""

    at: int
    sort: str
    """``invalid``, ``mismatch`` or ``error``."""
    field: str = ""
    reason: str = ""
    value: str = ""

    @property
    def words(self) -> str:
        """``activeUsers is -3: below 0 users``, or ``timeout: no answer within 5 s``."""
        what = f"{self.field} is {self.value}" if self.field else self.value
        return f"{what}: {self.reason}"


class Tally(Struct, rename="camel", omit_defaults=True):
    """The sum of a component's observations, comparisons and servings. It is added to in place."""

    component: str
    since: int | None = None
    """The first and the last moment that something is known of, in microseconds since the epoch."""
    until: int | None = None
    calls: dict[str, int] = field(default_factory=dict)
    """By source."""
    errors: dict[str, dict[str, int]] = field(default_factory=dict)
    """By source, then by kind."""
    expected: int = 0
    """Of the real source's answers: values that there should be; those that are there; those that pass every check."""
    present: int = 0
    valid: int = 0
    latency: dict[int, int] = field(default_factory=dict)
    """Of the real source's calls, failed ones too: a sketch."""
    newest: tuple[int, int] | None = None
    """The real source's last answer: when it was asked, and of what time its data is."""
    oldest_age: int | None = None
    """The greatest age of the real source's data when it was asked, in microseconds."""
    ahead: int = 0
    """Answers of the real source whose data lies in the future: somebody's clock is wrong."""
    served: dict[str, int] = field(default_factory=dict)
    """By source and reason: ``real/flag``."""
    synthetic: int = 0
    """Of what was served: made up."""
    undeclared: int = 0
    """Of that: where the flags do not ask for the mock."""
    shed: int = 0
    """Shadow calls that were not made, for lack of room."""
    compared: dict[str, Agreement] = field(default_factory=dict)
    """By the kind of reference."""
    due: int = 0
    """Events that trackers sent and that should have arrived; and how many did."""
    arrived: int = 0
    examples: tuple[Example, ...] = ()

    def add(self, fact: Observation | Comparison | Served) -> None:
        """Takes in what was seen. Raises ValueError for another component's."""
        _refuse_other(self.component, fact.component)
        self._extend(fact.at)
        match fact:
            case Observation():
                self._observe(fact)
            case Comparison():
                self._compare(fact)
            case Served():
                _count(self.served, f"{fact.source}/{fact.reason}", fact.count)
                self.synthetic += fact.count if fact.synthetic else 0
                self.undeclared += fact.count if fact.undeclared else 0

    def add_account(self, due: int, arrived: int) -> None:
        """Counts trackers' events: how many should have come, and how many came."""
        self.due += due
        self.arrived += arrived

    def add_example(self, mismatch: Comparison) -> None:
        """Keeps a comparison that does not agree as an example, without counting it."""
        window = f"{moment(mismatch.start)} to {moment(mismatch.end)}"
        self.examples = kept((*self.examples, Example(
            mismatch.at, "mismatch", clip(mismatch.field, 60), clip(f"{mismatch.words}, for {window}", 160),
            short(mismatch.real),
        )))

    def add_shed(self, count: int = 1) -> None:
        """Counts shadow calls that were not made."""
        self.shed += count

    def _extend(self, at: int) -> None:
        self.since = at if self.since is None else min(self.since, at)
        self.until = at if self.until is None else max(self.until, at)

    def _observe(self, seen: Observation) -> None:
        _count(self.calls, seen.source.value)
        if seen.error_kind is not None:
            _count(self.errors.setdefault(seen.source.value, {}), seen.error_kind.value)
        if seen.source is not Origin.REAL:
            return
        self.latency = merged(self.latency, {bucket(seen.latency_us): 1})
        self.expected += seen.expected
        self.present += seen.present
        self.valid += seen.valid
        if seen.as_of is not None:
            age = seen.at - seen.as_of
            self.newest = max((seen.at, seen.as_of), self.newest or (seen.at, seen.as_of))
            self.oldest_age = age if self.oldest_age is None else max(self.oldest_age, age)
            self.ahead += any(failure.field == "asOf" for failure in seen.failures)
        if seen.failures or seen.error_kind is not None:
            self.examples = kept((*self.examples, *_examples_of(seen)))

    def _compare(self, fact: Comparison) -> None:
        was = self.compared.get(fact.kind.value, Agreement())
        self.compared[fact.kind.value] = was + Agreement(int(fact.agrees), 1, int(fact.within_noise))
        if not fact.agrees:
            self.add_example(fact)


def merge(one: Tally, other: Tally) -> Tally:
    """Both together, as a new tally. Raises ValueError if they are of two components."""
    _refuse_other(one.component, other.component)
    return Tally(
        component=one.component,
        since=_both(min, one.since, other.since),
        until=_both(max, one.until, other.until),
        calls=summed(one.calls, other.calls),
        errors={source: summed(one.errors.get(source, {}), other.errors.get(source, {}))
                for source in one.errors.keys() | other.errors.keys()},
        expected=one.expected + other.expected,
        present=one.present + other.present,
        valid=one.valid + other.valid,
        latency=merged(one.latency, other.latency),
        newest=max((each for each in (one.newest, other.newest) if each is not None), default=None),
        oldest_age=_both(max, one.oldest_age, other.oldest_age),
        ahead=one.ahead + other.ahead,
        served=summed(one.served, other.served),
        synthetic=one.synthetic + other.synthetic,
        undeclared=one.undeclared + other.undeclared,
        shed=one.shed + other.shed,
        compared={kind: one.compared.get(kind, Agreement()) + other.compared.get(kind, Agreement())
                  for kind in one.compared.keys() | other.compared.keys()},
        due=one.due + other.due,
        arrived=one.arrived + other.arrived,
        examples=kept((*one.examples, *other.examples)),
    )


def merge_all(component: str, tallies: Iterable[Tally]) -> Tally:
    """All together; an empty one if there are none."""
    return reduce(merge, tallies, Tally(component))


def kept(examples: Iterable[Example]) -> tuple[Example, ...]:
    """The newest few of each sort, one for each thing that went wrong, the newest first."""
    newest: dict[tuple[str, str, str], Example] = {}
    for example in sorted(examples):
        newest[_what(example)] = example
    room = Counter[str]()
    chosen = []
    for example in sorted(newest.values(), reverse=True):
        room[example.sort] += 1
        if room[example.sort] <= KEPT:
            chosen.append(example)
    return tuple(chosen)


def encode(tally: Tally) -> bytes:
    """As JSON: some hundred bytes, some two thousand at the most."""
    return msgspec.json.encode(tally)


def decode(data: bytes) -> Tally:
    """From JSON, whatever later versions have put beside it. Raises msgspec.MsgspecError."""
    return msgspec.json.decode(data, type=Tally)


def _what(example: Example) -> tuple[str, str, str]:
    return example.sort, example.field, example.reason


def _examples_of(seen: Observation) -> Iterable[Example]:
    if seen.error_kind is not None:
        yield Example(seen.at, "error", reason=clip(seen.error or "", 120), value=seen.error_kind.value)
    for failure in seen.failures:
        yield Example(seen.at, "invalid", clip(failure.field, 60), clip(failure.reason, 80), failure.value)


def _count(counts: dict[str, int], key: str, more: int = 1) -> None:
    counts[key] = counts.get(key, 0) + more


def _both(choose: Callable[[int, int], int], one: int | None, other: int | None) -> int | None:
    """The choice of two, or the only one that is known."""
    if one is None or other is None:
        return other if one is None else one
    return choose(one, other)


def _refuse_other(mine: str, component: str) -> None:
    if component != mine:
        raise ValueError(f"a tally of {mine} cannot take in what is of {component}")
