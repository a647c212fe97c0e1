"""The tracker for applications that wait by blocking."""

from .core import Core
from .stats import FlushResult


class Tracker(Core):
    """Takes events from any thread, keeps them safe and delivers them. Also a context, which shuts it down."""

    def flush(self, timeout: float = 10.0) -> FlushResult:
        """Waits, up to so many seconds, until all that was tracked so far is delivered."""
        return self.deliver(timeout)

    def shutdown(self, timeout: float = 10.0) -> FlushResult:
        """The same, for good. What could not be delivered stays in the spool for the next start."""
        return self.finish(timeout)

    def __enter__(self) -> "Tracker":
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
