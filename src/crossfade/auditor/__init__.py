"""The auditor: compares what is shown with the ground truth, all the time and a little at a time."""

from .run import Run, Standing
from .thread import Auditor

__all__ = ["Auditor", "Run", "Standing"]
