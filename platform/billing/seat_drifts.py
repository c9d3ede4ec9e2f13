"""The nightly comparison of three numbers that should be one: what the people come to, what the account says, what Stripe bills."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from audit.actor import Actor
from audit.recording import record
from billing import seat_following, seat_items, seat_standing, seat_submission, seats
from billing.gateway.base import GatewayError
from billing.gateway.selection import gateway
from billing.models import SeatAccount, SeatDrift, Subscription
from core import jobs
from core.errors import DomainError, NotFound
from ledger.invariants import Check
from organizations.models import Organization
from organizations.permissions import Permission, require

BY = Actor.system("seats.compare")
# A change that Stripe has not answered for so long is no longer on its way.
ON_ITS_WAY = timedelta(hours=1)
State = SeatDrift.State


@dataclass(frozen=True, slots=True)
class Numbers:
    """Further seats: counted from people and purchases, ours on the account, at_stripe billed."""

    counted: int
    ours: int
    at_stripe: int

    @property
    def agree(self) -> bool:
        return self.counted == self.ours == self.at_stripe


class DriftSettled(DomainError):
    code, http_status = "SEAT_DRIFT_SETTLED", 409

    def __init__(self) -> None:
        super().__init__("The numbers of this drift agree already; there is nothing to mend.")


@jobs.task(queue="money", outside=True)
def compare_all() -> None:
    """Compare every organization that has a live subscription or an open drift. Repeatable; raises RetryLater where Stripe did not
    answer for some, the others are compared."""
    failed = []
    for organization_id in _compared():
        try:
            compare(organization_id=organization_id)
        except GatewayError as error:
            failed.append(f"{organization_id}: {error}")
    if failed:
        raise jobs.RetryLater("; ".join(failed[:20]))


def _compared() -> list[UUID]:
    live = Subscription.objects.live().values_list("organization_id", flat=True)
    return sorted({*live, *SeatDrift.objects.open().values_list("organization_id", flat=True)})


def compare(*, organization_id: UUID) -> Numbers | None:
    """Ask Stripe with no transaction open, then count under the organization's lock; None where a change is on its way, which says
    nothing yet. A difference is kept as the one open drift, agreement settles it. Raises what the gateway raises."""
    before = _version(organization_id)
    subscription = seat_standing.live_subscription(organization_id)
    at_stripe = 0
    if subscription is not None:
        at_stripe = seat_items.billed(gateway().retrieve_subscription(subscription.stripe_subscription_id)).quantity
    return _keep(organization_id, before, subscription, at_stripe)


def _version(organization_id: UUID) -> tuple[int, int] | None:
    return SeatAccount.objects.filter(organization_id=organization_id).values_list("version", "pushed_version").first()


@transaction.atomic
def _keep(organization_id: UUID, before: tuple[int, int] | None, subscription: Subscription | None, at_stripe: int) -> Numbers | None:
    Organization.objects.select_for_update(of=["self"], no_key=True).get(pk=organization_id)
    row = seats.locked_row(organization_id)
    if _is_moving(row, before):
        return None
    numbers = Numbers(seats.standing_of(row).number(), row.number, at_stripe)
    drift = SeatDrift.objects.open().filter(organization_id=organization_id).first()
    if numbers.agree:
        if drift is not None:
            settle(drift)
        return numbers
    values = {"counted": numbers.counted, "ours": numbers.ours, "at_stripe": at_stripe, "subscription": subscription}
    if drift is None:
        drift = SeatDrift.objects.create(organization_id=organization_id, **values)
        record(drift, "seat_drift.found", by=BY, organization_id=organization_id, after={"numbers": str(drift)})
    else:
        SeatDrift.objects.filter(pk=drift.pk).update(**values, updated_at=timezone.now())
    return numbers


def _is_moving(row: SeatAccount, before: tuple[int, int] | None) -> bool:
    """Whether a change came while Stripe was asked, or one is on its way to Stripe."""
    if before is not None and before != (row.version, row.pushed_version):
        return True
    since = row.changed_at or row.created_at
    return row.version != row.pushed_version and since > timezone.now() - ON_ITS_WAY


def settle(drift: SeatDrift) -> None:
    """The three numbers are one again; the caller holds the organization's lock."""
    drift.settle(at=timezone.now())
    drift.save(update_fields=["state", "settled_at", "updated_at"])
    record(drift, "seat_drift.settled", by=BY, organization_id=drift.organization_id, after={"state": drift.state})


@transaction.atomic
def mend(*, drift_id: UUID, by: Actor) -> SeatDrift:
    """The account is counted anew and Stripe told; the drift is settled as soon as all three numbers agree.

    Raises NotFound, PermissionRefused, StepUpRequired, DriftSettled.
    """
    seen = SeatDrift.objects.visible_to(by).filter(pk=drift_id).first()
    if seen is None:
        raise NotFound("seat drift")
    Organization.objects.select_for_update(of=["self"], no_key=True).get(pk=seen.organization_id)
    drift: SeatDrift = SeatDrift.objects.select_for_update(of=["self"]).get(pk=drift_id)
    require(by, Permission.DISCREPANCY_FIX)
    if drift.state != State.OPEN:
        raise DriftSettled
    row = seats.locked_row(drift.organization_id)
    seat_following.recount(row, by=by)
    if row.is_pushed or row.failure_reason:  # the account was right: Stripe's number is not
        seats.push(row)
        row.save()
    drift.settled_by_id = by.user_id
    drift.save(update_fields=["settled_by", "updated_at"])
    record(drift, "seat_drift.mended", by=by, organization_id=drift.organization_id, after={"number": row.number})
    jobs.enqueue(confirm, organization_id=drift.organization_id)
    return drift


@jobs.task(queue="money", outside=True)
def confirm(*, organization_id: UUID) -> None:
    """Stripe is told, then asked. Repeatable; raises what the gateway raises, and RetryLater while a change is on its way."""
    seat_submission.push(organization_id=organization_id)
    if compare(organization_id=organization_id) is None:
        raise jobs.RetryLater("another worker carries the seats to Stripe")


def seats_agree() -> Iterator[str]:
    """No drift is open, and no change waits for Stripe for longer than it is on its way."""
    for drift in SeatDrift.objects.open().select_related("organization").order_by("pk")[:100]:
        yield f"{drift.organization.name}: {drift}."
    for row in SeatAccount.objects.waiting(timezone.now() - ON_ITS_WAY).select_related("organization").order_by("pk")[:100]:
        yield f"{row.organization.name}: Stripe has not taken {row.number} seats. {row.failure_reason}".rstrip()


# name, what must hold, how it is checked, what to do where it does not
RULES: tuple[tuple[str, str, Check, str], ...] = (
    (
        "seats",
        "Stripe bills the seats that people use and organizations keep.",
        seats_agree,
        "Mend it under Seat drifts: seats are counted anew and Stripe is told. The organization's page says what Stripe refused.",
    ),
)
