"""Plans: the default one, what is wrong with others by line, and that what is written is read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.core.clock import DAY, MINUTE, SECOND
from crossfade.core.flag import Flags
from crossfade.core.freeze import WEEK, Freeze
from crossfade.core.gate import Gate, NoData, When
from crossfade.core.plan import OnFail, Phase, Plan
from crossfade.core.planfile import DEFAULT, parse, write

MINIMAL = '''name = "mine"

[[freeze]]
days = ["fri"]

[[phases]]
name = "one"
soak = "5 min"
deadline = "1 h"
ramp = [5, 100]

[phases.set]
use_real_business_metrics = true

[[phases.gates]]
figure = "quality.error_rate"
component = "businessMetrics"
most = 1
'''


def problems(text: str) -> list[str]:
    found = parse(text)
    assert not isinstance(found, Plan)
    return [str(problem) for problem in found]


def test_the_default_is_the_guides() -> None:
    plan = parse(DEFAULT)
    assert isinstance(plan, Plan)
    assert [(phase.soak // MINUTE, *phase.flags.items()) for phase in plan.phases] == [
        (5, ("use_real_business_metrics", True)), (5, ("use_real_system_metrics", True)),
        (5, ("use_real_historical_data", True)), (5, ("use_real_infrastructure_metrics", True)),
        (10, ("fallback_on_error", False))]
    assert [gate.threshold for phase in plan.phases for gate in phase.gates] == [95, 95, 95, 95, 1]
    assert all(phase.on_fail is OnFail.REVERT_PHASE for phase in plan.phases)
    assert Flags(plan.phases[0].targets(0))["percent_business_metrics"] == 100


@pytest.mark.parametrize(("old", "new", "said"), [
    ('"5 min"', "300", "line 8: '300' is no duration"),
    ('"5 min"', '"5 weeks"', "line 8: '5 weeks' is no duration"),
    ('"5 min"', '"0 s"', "line 8: a soak lasts longer"),
    ('"1 h"', '"10 min"', "line 9: the deadline of 10 min is not after the soak of 10 min"),
    ("[5, 100]", "[5, 50]", "line 10: a ramp is per cent"),
    ("[5, 100]", "[\n  50,\n  5,\n  100]", "line 10: every step of a ramp"),
    ("[5, 100]", "7", "line 10: ramp: Expected `array`"),
    ("use_real_business_metrics = true", "use_real_busines = true", "line 13: there is no flag"),
    ("use_real_business_metrics = true", "use_real_business_metrics = 1", "line 13: use_real_business_metrics is true"),
    ("use_real_business_metrics = true", "use_real_business_metrics = false", "line 13: use_real_business_metrics = f"),
    ("use_real_business_metrics = true", "useRealBusinessMetrics = true", "line 13: write use_real_business_metrics"),
    ("use_real_business_metrics = true", "percent_business_metrics = 5", "line 13: percent_business_metrics is set by"),
    ("error_rate", "eror_rate", "line 16: there is no figure 'quality.eror_rate'"),
    ("quality.error_rate", "errors", "line 16: there is no figure 'errors'"),
    ("businessMetrics", "business", "line 17: there is no component 'business'"),
    ('component = "businessMetrics"\n', "", "line 15: quality.error_rate is of a component"),
    ("most = 1", 'most = "1"', "line 18: most: Expected"),
    ("most = 1", "most = 1\nleast = 1", "line 15: a gate has either"),
    ("most = 1", "most = 1\nworst = 1", "line 19: Object contains unknown field `worst`"),
    ('"fri"', '"friday"', "line 3: 'friday' is no day"),
    ('days = ["fri"]', "", "line 3: this leaves no moment of the week free"),
    ('days = ["fri"]', 'start = "08:00"\nend = "08:00"', "line 3: this leaves no moment of the week free"),
    ("most = 1", 'most = 1\n[[phases.freeze]]\ndays = ["mon", "tue", "wed", "thu", "sat", "sun"]',
     "line 19: this leaves no moment of the week free"),
    ("most = 1", "most = 1\n[[phases.freeze]]", "line 19: this leaves no moment of the week free"),
    ('days = ["fri"]', 'zone = "Mars"', "line 3: 'Mars' is no time zone"),
    ('name = "one"', 'name = "one"\nneeds = ["use_real_business_metrics"]', "line 8: use_real_business_metrics is not"),
    ('name = "one"', 'name = "one"\nname = "two"', "line 8: this is no TOML"),
    ('name = "one"', "", "line 6: Object missing required field `name`"),
])
def test_what_is_wrong_is_told_by_line(old: str, new: str, said: str) -> None:
    assert isinstance(parse(MINIMAL), Plan)
    found = problems(MINIMAL.replace(old, new, 1))
    assert any(problem.startswith(said) for problem in found), found


def test_everything_is_told_at_once() -> None:
    text = MINIMAL.replace('"5 min"', '"x"').replace('"1 h"', '"y"').replace("most = 1", "mist = 1").replace("fri", "x")
    assert [problem.partition(":")[0] for problem in problems(text)] == ["line 3", "line 8", "line 9", "line 18"]


def test_two_phases_may_not_have_one_name_nor_take_viewers_away() -> None:
    second = MINIMAL[MINIMAL.index("[[phases]]"):]
    found = problems(MINIMAL + "\n" + second)
    assert found[0] == "line 7: two phases are called 'one'"
    assert "line 20: percent_business_metrics goes down from 100 to 5, where a plan only goes forward" in found


@pytest.mark.parametrize("text", ["", "name = 'a'", "x = [", "name = 1\nphases = 3", "phases = [1]\nname = 'x'",
                                  "a = " + "[" * 5_000, "x" * 40_000, "name='a'\nphases=[]",
                                  MINIMAL.replace("most = 1", "most = " + "9" * 400),
                                  MINIMAL.replace("[5, 100]", "[" + "9" * 400 + "]")])
def test_what_is_no_plan_is_told(text: str) -> None:
    assert problems(text)


@given(st.text(max_size=60), st.integers(0, len(MINIMAL)), st.integers(0, 30))
def test_no_text_is_too_odd(text: str, at: int, cut: int) -> None:
    found = parse(MINIMAL[:at] + text + MINIMAL[at + cut:])
    assert isinstance(found, Plan) or all(problem.message for problem in found)


SPANS = st.integers(1, 1_000).map(lambda number: number * SECOND)
FREEZES = st.lists(st.builds(Freeze, days=st.tuples(st.sampled_from(WEEK)),
                             start=st.sampled_from(["00:00", "22:30"]),
                             zone=st.sampled_from(["UTC", "Asia/Tokyo"])), max_size=2).map(tuple)
GATE = st.builds(Gate, st.just("live.x.y"), most=st.floats(-1e6, 1e6), window=st.none() | SPANS,
                 sample=st.integers(1, 1_000), judged=st.sampled_from(When), no_data=st.sampled_from(NoData))
PHASES = st.builds(
    Phase, st.from_regex("[A-Za-z0-9][A-Za-z0-9 _.-]{0,20}", fullmatch=True),
    st.just({"use_real_business_metrics": True}), SPANS, st.just(DAY), st.tuples(GATE),
    ramp=st.sampled_from([(), (5, 100)]), approval=st.booleans(), on_fail=st.sampled_from(OnFail), freeze=FREEZES)


@given(st.builds(Plan, st.text(st.characters(exclude_categories=["Cs"])), PHASES.map(lambda phase: (phase,)), FREEZES))
def test_what_is_written_is_read(plan: Plan) -> None:
    assert parse(write(plan)) == plan
