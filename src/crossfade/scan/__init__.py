"""Walks a storage tree, counts it, finds its duplicates, and tracks what it does."""

from .cleanup import Cleanup, delete_duplicates
from .engine import scan
from .progress import Progress, Stage
from .result import DuplicateSet, Emit, File, ScanResult, report
from .tree import JSON, Issue, Kind, ScanError, printable

__all__ = [
    "JSON", "Cleanup", "DuplicateSet", "Emit", "File", "Issue", "Kind", "Progress", "ScanError", "ScanResult",
    "Stage", "delete_duplicates", "printable", "report", "scan",
]
