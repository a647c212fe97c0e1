"""How a command ends that cannot do what was asked."""


from collections.abc import Mapping


class CommandError(Exception):
    """Told to the user as one sentence; the exit status is 1."""


class Unreachable(CommandError):  # noqa: N818  it says what happened
    """No server answered."""


class Refused(CommandError):  # noqa: N818
    """The server said no."""

    def __init__(self, told: str, status: int, answer: Mapping[str, object]) -> None:
        """``answer``: what its body says, as far as it is JSON; with a ``code`` and a ``message`` as a rule."""
        super().__init__(told)
        self.status = status
        self.answer = answer

    @property
    def code(self) -> str:
        """Which error it is, for programs."""
        return str(self.answer.get("code", ""))

    @property
    def message(self) -> str:
        """What the server said, for people."""
        return str(self.answer.get("message", "")) or str(self)
