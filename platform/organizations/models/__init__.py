"""Organizations, who works for them, and who is asked to."""

from organizations.models.invitation import Invitation, InvitationLine
from organizations.models.membership import Membership, Role
from organizations.models.organization import Organization

__all__ = ["Invitation", "InvitationLine", "Membership", "Organization", "Role"]
