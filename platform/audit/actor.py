"""Who acts: a person, a guest with a signed link, Stripe, or a scheduled task."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class StaffGroup(StrEnum):
    """The platform's own people; an organization's people have roles instead."""

    SUPPORT = "support"
    FINANCE = "finance"
    AUDITOR = "auditor"
    SUPERUSER = "superuser"


@dataclass(frozen=True, slots=True)
class Actor:
    """label: how the audit log names the actor ("user:usr_…", "system:billing.refunds.submit").

    organization_ids: organizations with an active membership when the request began; organization_id: the one the console or the
    token is about; staff_groups: empty unless this sign-in used a second factor; second_factor_at: when it was last used;
    guest_of: the one registration that a guest's signed link opens.
    """

    label: str
    user_id: UUID | None = None
    organization_ids: frozenset[UUID] = field(default_factory=frozenset)
    organization_id: UUID | None = None
    staff_groups: frozenset[StaffGroup] = field(default_factory=frozenset)
    acting_for: UUID | None = None
    token_id: UUID | None = None
    guest_of: UUID | None = None
    second_factor_at: datetime | None = None
    request_id: str = ""
    ip: str | None = None

    @classmethod
    def system(cls, name: str) -> "Actor":
        """A task or a webhook; it may see everything and is held by state machines and constraints alone."""
        return cls(label=f"system:{name}")

    @classmethod
    def guest(cls, registration_id: UUID, *, request_id: str = "", ip: str | None = None) -> "Actor":
        """Whoever holds the signed link of one registration; may see, pay and cancel that one."""
        return cls(label=f"guest:{registration_id}", guest_of=registration_id, request_id=request_id, ip=ip)

    @classmethod
    def anonymous(cls, *, request_id: str = "", ip: str | None = None) -> "Actor":
        return cls(label="anonymous", request_id=request_id, ip=ip)

    @property
    def is_system(self) -> bool:
        return self.label.startswith("system:")

    @property
    def is_staff(self) -> bool:
        return bool(self.staff_groups)

    @property
    def sees_all(self) -> bool:
        """Whether rows of every organization are visible; what may be done with them is a matter of permissions."""
        return self.is_system or self.is_staff
