from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from crossfade.core.canary import is_marked, mark, marked


class Part(Struct):
    name: str
    figure: float | None
    inner: object = None


numbers = st.floats(0, 9_000).map(mark) | st.floats() | st.integers() | st.booleans() | st.none() | st.text()
payloads = st.recursive(numbers, lambda inner: (
    st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner) | st.builds(Part, st.text(),
                                                                                              numbers, inner)))


def count(value: object) -> int:
    match value:
        case float():
            return is_marked(value)
        case Part():
            return count(value.figure) + count(value.inner)
        case dict():
            return sum(map(count, value.values()))
        case list() | tuple():
            return sum(map(count, value))
    return 0


@given(payloads)
def test_every_marked_figure_is_found_wherever_it_is(payload: object) -> None:
    assert len(list(marked(payload))) == count(payload)


def test_a_marked_figure_is_named() -> None:
    payload = (Part("a", 1.0), Part("b", 2.0, {"deep": [3, Part("c", mark(4.0))]}))
    assert list(marked(payload)) == ["[1].inner.deep[1].figure"]
    assert not list(marked(Part("a", 1.5, [2, None, True])))
