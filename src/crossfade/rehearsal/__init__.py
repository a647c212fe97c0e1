"""A rollout rehearsed: the same controller, on a clock of its own, upon a control database that is thrown away."""

from .recorded import Recorded
from .rehearsal import Ended, Rehearsal, Rehearsed, undisturbed

__all__ = ["Ended", "Recorded", "Rehearsal", "Rehearsed", "undisturbed"]
