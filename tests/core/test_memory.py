import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.core.memory import LEAST, LEAST_ENGINE, WORKING, parse, share


@pytest.mark.parametrize(("text", "size"), [
    ("1GB", 10**9), ("512MB", 512_000_000), ("1.5 GiB", 3 << 29), ("7KB", 7_000), ("2MiB", 2 << 20), ("3KiB", 3 << 10),
])
def test_a_size_is_read(text: str, size: int) -> None:
    assert parse(text) == size


@pytest.mark.parametrize("text", ["", "GB", "1", "1 TB", "1GB; DROP", "-1GB", "1  GB", "1GBB"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a size is"):
        parse(text)


@given(st.integers(LEAST, 1 << 45), st.integers(1, 10_000_000))
def test_all_that_may_be_held_at_once_is_within_the_limit(total: int, body: int) -> None:
    shares = share(total, body)
    assert WORKING + shares.engine + shares.bodies + 2 * shares.unsynced <= total
    assert shares.engine >= LEAST_ENGINE
    assert shares.bodies >= body  # or that body would be sent again for good
    assert shares.unsynced > 0


def test_the_engine_gets_most_of_it() -> None:
    assert share(10**9, 10**7).engine == 590_250_000


def test_too_little_is_refused() -> None:
    with pytest.raises(ValueError, match="384 MB"):
        share(LEAST - 1, 1)
    with pytest.raises(ValueError, match="max_body_mb"):
        share(LEAST, 100_000_000)
