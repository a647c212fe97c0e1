"""How often something may be tried, beside a plain list of what was tried."""

from hypothesis import given
from hypothesis import strategies as st

from crossfade.core.throttle import Throttle

STEPS = st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(["try", "forgive", "forget"]), st.integers(0, 40)),
                 max_size=60)


@given(STEPS, st.integers(1, 4))
def test_it_is_what_a_plain_list_says(steps: list[tuple[str, str, int]], most: int) -> None:
    throttle, tried, now = Throttle(most, 100), {"a": [], "b": []}, 0
    for key, what, pause in steps:
        now += pause
        if what == "forget":
            throttle.forget(key)
            tried[key] = []
        elif what == "forgive":
            throttle.forgive(key)
            tried[key] = tried[key][:-1]
        else:
            recent = [at for at in tried[key] if at > now - 100]
            wait = throttle.wait(key, now)
            assert wait == (recent[0] + 100 - now if len(recent) >= most else 0)
            if not wait:
                throttle.count(key, now)
                tried[key] = [*recent, now]


def test_who_waits_as_long_as_told_may_try() -> None:
    throttle = Throttle(2, 100)
    throttle.count("a", 0)
    throttle.count("a", 30)
    wait = throttle.wait("a", 40)
    assert wait == 60
    assert throttle.wait("a", 40 + wait - 1) == 1
    assert throttle.wait("a", 40 + wait) == 0


def test_many_keys_take_no_more_memory() -> None:
    throttle = Throttle(1, 100, keys=10)
    for number in range(1_000):
        throttle.count(str(number), 0)
    assert [throttle.wait(str(number), 1) for number in (0, 989, 990, 999)] == [0, 0, 99, 99]


def test_a_clock_that_was_set_back_locks_nobody_out() -> None:
    throttle = Throttle(1, 100)
    throttle.count("a", 1_000_000)
    assert throttle.wait("a", 0) == 0
