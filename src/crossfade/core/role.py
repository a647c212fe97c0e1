"""What somebody may do."""

from enum import StrEnum


class Role(StrEnum):
    """Each may do what those before it may."""

    VIEWER = "viewer"
    """Reads pages and the API."""
    OPERATOR = "operator"
    """Acts: flags, rollback, rollouts, alerts, repairs."""
    ADMIN = "admin"
    """Manages users and keys too."""

    def may(self, needed: "Role") -> bool:
        """Whether what needs a role is allowed to this one."""
        return _ORDER.index(self) >= _ORDER.index(needed)


_ORDER = tuple(Role)
