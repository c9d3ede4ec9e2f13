"""Rules about places that must always hold; run by the console's page and the nightly task."""

from collections.abc import Iterator

from django.db.models import Count, Exists, F, OuterRef, Q

from audit.models import AuditEntry
from billing.models import Payment, Refund
from core.public_ids import encode
from events.models import Event
from promo_codes.models import Redemption
from registrations.cancellation import KEPT_BY_TERMS
from registrations.models import TAKES_SEAT, Registration
from registrations.registering import PURPOSE


def seats_are_counted() -> Iterator[str]:
    """Held and confirmed places, counted, are what the event's counter says."""
    counted = Event.objects.annotate(counted=Count("registrations", filter=Q(registrations__state__in=TAKES_SEAT)))
    off = counted.exclude(counted=F("seats_taken")).values_list("pk", "seats_taken", "counted")
    for event_id, seats_taken, taking in off:
        event = encode(Event.public_prefix, event_id)
        yield f"{event} counts {seats_taken} places taken, but {taking} registrations take one."


_FOLLOWS = {
    Registration.State.PENDING: Redemption.State.RESERVED,
    Registration.State.CONFIRMED: Redemption.State.CONSUMED,
    Registration.State.CANCELLED: Redemption.State.RELEASED,
}


def redemptions_follow_places() -> Iterator[str]:
    """Where a place was had with a code, the use is where the place is; one that was refunded in full and kept has freed its code."""
    refunded = Exists(Refund.objects.filter(payment=OuterRef("payment")))
    right = Q(refunded, state=Registration.State.CONFIRMED, redemption__state=Redemption.State.RELEASED)
    for state, use in _FOLLOWS.items():
        right |= Q(state=state, redemption__state=use)
    with_code = Registration.objects.filter(redemption__isnull=False)
    for key, place, use_now in with_code.exclude(right).values_list("pk", "state", "redemption__state"):
        yield f"{encode(Registration.public_prefix, key)} is {place}, but its promo code's use is {use_now}."


def captured_money_has_a_place() -> Iterator[str]:
    """Every captured payment has an active registration, a refund, or a named record that the terms gave nothing back."""
    places = Registration.objects.filter(payment=OuterRef("pk"))
    said = AuditEntry.objects.filter(object_id=OuterRef("pk"), action=KEPT_BY_TERMS)
    explained = (
        Exists(places.active()) | Exists(places.filter(Exists(said))) | Exists(Refund.objects.taking_money().filter(payment=OuterRef("pk")))
    )
    for payment in Payment.objects.filter(purpose=PURPOSE, state__in=Payment.CAPTURED).exclude(explained):
        yield f"{payment.public_id} was paid ({payment.due}), but has neither an active registration nor a refund."
