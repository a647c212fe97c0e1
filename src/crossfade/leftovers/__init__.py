"""What is left of mocks in an application's code: names and imports of mocks, and the flags that switched them.

Python is read by its syntax tree, JavaScript and TypeScript token by token. Nothing is imported or run.
"""

from .finding import By, Finding, Text
from .source import LARGEST, Unreadable, search_text
from .tree import Listing, Problem, Report, SearchError, files, search

__all__ = [
    "LARGEST", "By", "Finding", "Listing", "Problem", "Report", "SearchError", "Text", "Unreadable", "files", "search",
    "search_text",
]
