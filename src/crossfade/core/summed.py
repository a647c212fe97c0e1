"""Counts by key, added up."""

from collections.abc import Hashable, Mapping
from typing import TypeVar

Key = TypeVar("Key", bound=Hashable)


def summed(one: Mapping[Key, int], other: Mapping[Key, int]) -> dict[Key, int]:
    """Both together, in the order in which the keys come."""
    return {key: one.get(key, 0) + other.get(key, 0) for key in (*one, *other)}
