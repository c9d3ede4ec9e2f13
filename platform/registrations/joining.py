"""Places taken as a guest join the account of the person whose address it is, once that is proven."""

from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef

from accounts.models import User
from audit.actor import Actor
from audit.recording import record
from registrations.models import Registration

BY = Actor.system("registrations.joining")


@transaction.atomic
def join_verified(*, user_id: UUID, email: str) -> None:
    """Called when an account's address is verified: the guest's places under it are the account's from now on.

    A place at an event where the account has another one stays a guest's. Repeatable.
    """
    theirs = Registration.objects.active().filter(event=OuterRef("event"), user_id=user_id)
    places = Registration.objects.under(email).filter(~Exists(theirs), user=None).select_related("event").order_by("pk")
    joined_events: set[UUID] = set()
    for registration in places.select_for_update(of=["self"]):
        is_active = registration.state != Registration.State.CANCELLED
        if is_active and registration.event_id in joined_events:
            continue
        joined_events |= {registration.event_id} if is_active else set()
        registration.user_id = user_id
        registration.save(update_fields=["user", "updated_at"])
        organization_id = registration.event.organization_id
        record(registration, "registration.joined", by=BY, organization_id=organization_id, after={"user_id": user_id})


def join_owner(registration: Registration) -> None:
    """Put a guest's place under the account that has verified its address, where there is one; the caller saves."""
    if registration.user_id is not None:
        return
    owner = User.objects.filter(is_active=True, emailaddress__email__iexact=registration.email, emailaddress__verified=True).first()
    if owner is None:
        return
    others = Registration.objects.active().filter(event_id=registration.event_id, user_id=owner.pk).exclude(pk=registration.pk)
    if not others.exists():
        registration.user_id = owner.pk
