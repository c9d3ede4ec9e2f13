"""What a change of the subscription means for the seats: another plan includes another number, no subscription bills none."""

from uuid import UUID

from django.db import transaction

from audit.actor import Actor
from billing import seats
from billing.models import SeatAccount
from core import jobs
from organizations.models import Organization

BY = Actor.system("seats.follow")


@jobs.task(queue="money")
@transaction.atomic
def follow(*, organization_id: UUID) -> None:
    """The account says what its people and its plan come to, and Stripe hears of it where it bills another number. Repeatable."""
    Organization.objects.select_for_update(of=["self"], no_key=True).get(pk=organization_id)
    recount(seats.locked_row(organization_id), by=BY)


def recount(row: SeatAccount, *, by: Actor) -> None:
    """The caller holds the organization's lock."""
    found = seats.standing_of(row)
    number, before = found.number(), row.version
    seats.put(row, found, used=found.used, number=number, by=by, why="counted anew")
    billed = found.subscription.seat_quantity if found.subscription is not None else number
    if billed != number and row.version == before and row.is_pushed:
        seats.push(row)
        row.save()
