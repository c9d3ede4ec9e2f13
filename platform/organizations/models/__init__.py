"""Organizations, who works for them, and who is asked to."""

from organizations.models.acting_grant import ActingGrant
from organizations.models.admin_offer import AdminOffer
from organizations.models.closing import OrganizationClosing, OrganizationExport
from organizations.models.invitation import Invitation, InvitationLine
from organizations.models.membership import Membership, Role
from organizations.models.organization import Organization

__all__ = [
    "ActingGrant",
    "AdminOffer",
    "Invitation",
    "InvitationLine",
    "Membership",
    "Organization",
    "OrganizationClosing",
    "OrganizationExport",
    "Role",
]
