"""Why somebody was not let in."""


class Refused(Exception):  # noqa: N818  it says what is wrong
    """The name and the password, or the link, are not right. Which of them is not said."""


class TooMany(Exception):  # noqa: N818  it says what is wrong
    """Too many attempts failed: try again in so many seconds."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"too many attempts failed: try again in {_words(seconds)}")
        self.seconds = seconds


class Busy(Exception):  # noqa: N818  it says what is wrong
    """Too many passwords are being compared at this moment."""


def _words(seconds: int) -> str:
    if seconds < 120:
        return f"{seconds} s"
    return f"{-(-seconds // 60)} min"
