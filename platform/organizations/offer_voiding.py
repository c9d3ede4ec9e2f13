"""Offers of the admin role that cannot be accepted any more: withdrawn, or void because the member or the organization went.

The caller holds the organization's lock and has asked for the permission.
"""

from django.utils import timezone

from audit.actor import Actor
from audit.recording import record
from organizations.models import AdminOffer, Membership


def void(*, offer: AdminOffer, by: Actor) -> AdminOffer:
    """Nobody can accept it any more. Raises TransitionNotAllowed where it was answered."""
    offer.withdraw(at=timezone.now())
    offer.save(update_fields=["state", "ended_at", "updated_at"])
    record(offer, "admin_offer.withdrawn", by=by, after={"state": offer.state})
    return offer


def void_those_to(*, membership: Membership, by: Actor) -> None:
    """The member, who goes or has the role now, can accept none."""
    for offer in AdminOffer.objects.filter(membership=membership, state=AdminOffer.State.PENDING).select_for_update(of=["self"]):
        void(offer=offer, by=by)
