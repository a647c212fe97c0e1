"""The control plane: what must be remembered beside the events."""

from .audit import AuditEntry
from .deliveries import Delivery
from .errors import StateError, StateTooNew
from .flags import FlagChange, FlagRow
from .repository import State
from .scans import ScanEvent
from .stats import DailyStats

__all__ = [
    "AuditEntry", "DailyStats", "Delivery", "FlagChange", "FlagRow", "ScanEvent", "State", "StateError", "StateTooNew",
]
