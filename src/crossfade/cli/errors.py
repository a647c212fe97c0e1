"""How a command ends that cannot do what was asked."""


class CommandError(Exception):
    """Told to the user as one sentence; the exit status is 1."""
