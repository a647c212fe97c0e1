"""Several names in a sentence."""

from collections.abc import Sequence


def listed(names: Sequence[str], most: int = 5) -> str:
    """``a, b and 3 more``: the first few, and how many there are beside."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")
