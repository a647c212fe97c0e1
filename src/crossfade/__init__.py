"""Crossfade moves each number of a dashboard from mock to real, and never lets a fake look real."""

__version__ = "0.1.0"
