"""Who may come in: users, passwords, sign-ins and sessions."""

from .errors import Busy, Refused, TooMany
from .passwords import Passwords
from .sessions import Sessions
from .signin import SignIn
from .tracks import OwnEvents
from .users import Users

__all__ = ["Busy", "OwnEvents", "Passwords", "Refused", "Sessions", "SignIn", "TooMany", "Users"]
