"""Base classes of every refusal that a domain operation makes on purpose."""

from typing import Any, ClassVar


class DomainError(Exception):
    """An anticipated refusal: its text is one sentence for the person who asked, its `code` a promise to API clients.

    Subclasses stand in the module that raises them and keep their values as attributes; `details` is what the API shows of them.
    """

    code: ClassVar[str] = "REFUSED"
    http_status: ClassVar[int] = 409

    @property
    def details(self) -> dict[str, Any]:
        return {}


class NotFound(DomainError):
    """Unknown, or not visible to the one who asks: the two cannot be told apart."""

    code, http_status = "NOT_FOUND", 404

    def __init__(self, what: str = "object") -> None:
        super().__init__(f"This {what} does not exist, or you may not see it.")


class PermissionRefused(DomainError):
    code, http_status = "PERMISSION_REFUSED", 403

    def __init__(self, may: str) -> None:
        self.may = may
        super().__init__(f"You may not do this; it needs the permission “{may}”.")


class StepUpRequired(DomainError):
    """The second factor was used too long ago for this."""

    code, http_status = "SECOND_FACTOR_REQUIRED", 403

    def __init__(self) -> None:
        super().__init__("Confirm it is you: enter your second factor again, then repeat this.")


class InvalidInput(DomainError):
    """A value that no one could accept, whatever the state of things."""

    code, http_status = "VALIDATION_ERROR", 422

    def __init__(self, message: str, *, field: str | None = None) -> None:
        self.field = field
        super().__init__(message)

    @property
    def details(self) -> dict[str, Any]:
        return {"field": self.field} if self.field else {}
