"""What can go wrong with the control database. Every message says what to do."""


class StateError(Exception):
    """The control database did not do what was asked; nothing of it was stored.

    The message names the database and gives its own words. Try again once that is mended.
    """


class StateTooNew(StateError):  # noqa: N818  it says what is wrong; that it is an error its base says
    """A newer Crossfade wrote this control database. Start that version or a later one on it."""
