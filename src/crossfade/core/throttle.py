"""How often something may be tried."""

from collections import OrderedDict, deque


class Throttle:
    """At most ``most`` attempts by a key within ``span`` microseconds, in bounded memory.

    An attempt counts from its begin, so that many at once are no way around it. One that is refused does not count.
    """

    def __init__(self, most: int, span: int, keys: int = 10_000) -> None:
        """``keys``: how many are remembered; beyond them the one that tried longest ago is forgotten."""
        self._most = most
        self._span = span
        self._keys = keys
        self._attempts: OrderedDict[str, deque[int]] = OrderedDict()

    def wait(self, key: str, now: int) -> int:
        """Microseconds until the key may try again; 0 when it may now."""
        attempts = self._attempts.get(key)
        if attempts is None:
            return 0
        while attempts and not now - self._span < attempts[0] <= now:
            attempts.popleft()
        return attempts[0] + self._span - now if len(attempts) >= self._most else 0

    def count(self, key: str, now: int) -> None:
        """The key tries."""
        self._attempts.setdefault(key, deque(maxlen=self._most)).append(now)
        self._attempts.move_to_end(key)
        if len(self._attempts) > self._keys:
            self._attempts.popitem(last=False)

    def forgive(self, key: str) -> None:
        """The key's last attempt was no failure."""
        if attempts := self._attempts.get(key):
            attempts.pop()

    def forget(self, key: str) -> None:
        """Nothing that the key tried counts any more."""
        self._attempts.pop(key, None)
