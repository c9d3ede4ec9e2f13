"""How an organization's row is locked. Order of locks everywhere: organization, then its members and invitations, then what they host."""

from uuid import UUID

from audit.actor import Actor
from core.errors import NotFound
from organizations.models import Organization


def locked(organization_id: UUID, by: Actor) -> Organization:
    """The active organization with its row locked: who joins, leaves, changes roles or takes a seat queues here. Raises NotFound.

    FOR NO KEY UPDATE: rows that merely refer to the organization can still be written.
    """
    rows = Organization.objects.visible_to(by).filter(pk=organization_id, is_active=True)
    organization = rows.select_for_update(of=["self"], no_key=True).first()
    if organization is None:
        raise NotFound("organization")
    return organization
