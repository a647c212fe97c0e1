"""What an application imports to send events; it needs none of the server's parts."""

from crossfade.core.backoff import Backoff

from .aio import AsyncTracker
from .asgi import TrackedASGI
from .core import SpoolFull
from .flags import FlagFollower
from .hooks import Call
from .stats import FlushResult, Stats
from .tracker import Tracker
from .wsgi import TrackedWSGI

__all__ = ["AsyncTracker", "Backoff", "Call", "FlagFollower", "FlushResult", "SpoolFull", "Stats", "TrackedASGI",
           "TrackedWSGI", "Tracker"]
