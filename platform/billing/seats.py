"""Seats: the answer to organizations.seating, and what an organization buys beyond what it uses.

Everything here holds the organization's row locked, so two who want the last seat meet one after the other. Stripe hears of a new
number after the commit (billing.seat_submission); nothing is invoiced then, the next invoice has what each change adds or gives back.
"""

from dataclasses import replace
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from audit.actor import Actor
from audit.recording import record
from billing import seat_prices, seat_standing, seat_submission
from billing.models import PlanAccess, SeatAccount
from billing.seat_standing import Standing
from core import jobs
from core.errors import DomainError, InvalidInput
from core.money import Money
from organizations import locking
from organizations.permissions import Permission, require
from organizations.seating import SeatPreview

MOST = 5_000


class SeatLimitReached(DomainError):
    """price: of one more seat for a whole period, None where none can be bought; due_now: its share of this period."""

    code, http_status = "SEAT_LIMIT_REACHED", 402

    def __init__(self, standing: Standing, *, used: int, due_now: Money | None) -> None:
        can_buy = standing.price is not None and not standing.why
        self.standing, self.used, self.due_now = standing, used, due_now
        self.price = standing.price.money if standing.price is not None and can_buy else None
        self.interval = str(standing.price.interval) if standing.price is not None and can_buy else None
        taken = f"No seat is free: {used} used, {standing.included} included, {standing.billed} bought."
        rest = f"One more costs {self.price} a {self.interval}: agree to buy it." if can_buy else standing.why
        super().__init__(f"{taken} {rest}")

    @property
    def details(self) -> dict[str, Any]:
        return {
            "used": self.used,
            "included": self.standing.included,
            "bought": self.standing.billed,
            "price": _shown(self.price),
            "interval": self.interval,
            "due_now": _shown(self.due_now),
        }


class SeatsInUse(DomainError):
    code, http_status = "SEATS_IN_USE", 409

    def __init__(self, needed: int) -> None:
        self.needed = needed
        super().__init__(f"People use {needed} of the bought seats: give some of them another role first, or keep {needed}.")

    @property
    def details(self) -> dict[str, Any]:
        return {"needed": self.needed}


class SeatsNotSold(DomainError):
    code, http_status = "SEATS_NOT_SOLD", 409

    def __init__(self, why: str) -> None:
        super().__init__(why)


def _shown(money: Money | None) -> dict[str, Any] | None:
    return {"amount": money.amount, "currency": money.currency} if money else None


class Seats:
    """Registered with organizations.seating."""

    def preview(self, *, organization_id: UUID, role: str, count: int = 1, outside: bool = False) -> SeatPreview:
        found = seat_standing.of(organization_id)
        shown = SeatPreview(used=found.used, included=found.included, bought=found.billed)
        if role not in seat_standing.COUNTED:
            return shown
        missing = found.missing(count)
        if not missing:
            return replace(shown, is_counted=True)
        if found.price is None or found.why:
            return replace(shown, is_counted=True, missing=missing, why=found.why)
        share, price = share_of(found, more=count, outside=outside), found.price
        asked = replace(shown, is_counted=True, missing=missing, price=price.money, per=str(price.interval))
        return replace(asked, due_now=share.due, is_by_stripe=share.by_stripe)

    def reserve(self, *, organization_id: UUID, role: str, holder_id: UUID, by: Actor, may_buy: bool = False) -> None:
        if role not in seat_standing.COUNTED:
            return
        row = locked_row(organization_id, less=1)
        found = standing_of(row)
        can_buy = may_buy and found.price is not None and not found.why
        if found.used > row.used and found.used > found.room and not can_buy:
            due = share_of(found, more=0).due if found.price is not None else None
            raise SeatLimitReached(found, used=found.used - 1, due_now=due)
        put(row, found, used=found.used, number=found.number(), by=by, why=f"{role} {holder_id}")

    def release(self, *, organization_id: UUID, role: str, holder_id: UUID, by: Actor) -> None:
        if role not in seat_standing.COUNTED:
            return
        row = locked_row(organization_id, less=-1)
        found = standing_of(row)
        used = min(row.used, found.used)  # one who comes in the same breath is looked at by reserve
        put(row, found, used=used, number=min(row.number, found.number()), by=by, why=f"{role} {holder_id}")


def share_of(found: Standing, *, more: int, outside: bool = False) -> seat_prices.Share:
    """What so many more people add to the next invoice; a price and a subscription there must be. outside: Stripe is asked."""
    if found.price is None or found.subscription is None:
        raise LookupError("no seat is sold here")
    if outside:
        return seat_prices.ask(found.subscription, found.price, after=found.number(more=more))
    due = seat_prices.by_rule(found.subscription, found.price, before=found.billed, after=found.number(more=more), at=timezone.now())
    return seat_prices.Share(due, by_stripe=False)


def locked_row(organization_id: UUID, *, less: int = 0) -> SeatAccount:
    """The account, made where there is none as it was before so many came; the caller holds the organization's lock."""
    used = max(0, seat_standing.count(organization_id) - less)
    SeatAccount.objects.get_or_create(organization_id=organization_id, defaults={"used": used})
    locked: SeatAccount = SeatAccount.objects.select_for_update(of=["self"]).get(organization_id=organization_id)
    return locked


def standing_of(row: SeatAccount) -> Standing:
    access = PlanAccess.objects.select_related("plan").filter(organization_id=row.organization_id).first()
    subscription = seat_standing.live_subscription(row.organization_id)
    return seat_standing.standing(row, access, subscription, used=seat_standing.count(row.organization_id))


def put(row: SeatAccount, found: Standing, *, used: int, number: int, by: Actor, why: str, bought: int | None = None) -> None:
    """Keep the numbers; where another one is to be billed Stripe hears of it after the commit. bought None: as many as so far."""
    before = {"bought": row.bought, "number": row.number}
    kept = row.bought if bought is None else bought
    row.used, row.bought, row.number = used, kept if found.price is not None else 0, number
    if before["number"] != number:
        push(row)
    row.save()
    after = {"bought": row.bought, "number": number}
    if before != after:
        record(row, "seats.changed", by=by, before=before, after=after, reason=why[:2000])


def push(row: SeatAccount) -> None:
    """Have Stripe bill what the account says; the caller saves it."""
    row.version += 1
    row.changed_at, row.failure_reason = timezone.now(), ""
    jobs.enqueue(seat_submission.push, organization_id=row.organization_id)


@transaction.atomic
def buy(*, organization_id: UUID, seats: int, by: Actor) -> SeatAccount:
    """So many further seats are kept and billed, whether used or not, from now on. seats: all of them, more than so far.

    Raises NotFound, PermissionRefused, InvalidInput, SeatsNotSold.
    """
    row, found = _ask(organization_id, seats, by)
    if seats <= row.number:
        raise InvalidInput(f"{row.number} are billed already; give a larger number to buy more, or lower it.", field="seats")
    put(row, found, used=found.used, bought=seats, number=max(seats, found.number()), by=by, why="bought")
    return row


@transaction.atomic
def lower(*, organization_id: UUID, seats: int, by: Actor) -> SeatAccount:
    """Fewer are kept; the next invoice gives back what is left of the period. seats: all that stay, at least those that are used.

    Raises NotFound, PermissionRefused, InvalidInput, SeatsNotSold, SeatsInUse.
    """
    row, found = _ask(organization_id, seats, by)
    if seats >= row.bought:
        raise InvalidInput(f"{row.bought} are kept; give a smaller number.", field="seats")
    needed = max(0, found.used - found.included)
    if seats < needed:
        raise SeatsInUse(needed)
    put(row, found, used=found.used, bought=seats, number=seats, by=by, why="lowered")
    return row


def _ask(organization_id: UUID, seats: int, by: Actor) -> tuple[SeatAccount, Standing]:
    locking.locked(organization_id, by)
    require(by, Permission.SUBSCRIPTION_MANAGE, organization_id)
    if not 0 <= seats <= MOST:
        raise InvalidInput(f"Give a number of seats up to {MOST:,}.", field="seats")
    row = locked_row(organization_id)
    found = standing_of(row)
    if found.price is None or found.why:
        raise SeatsNotSold(found.why)
    return row, found


@transaction.atomic
def give(*, organization_id: UUID, seats: int, reason: str, by: Actor) -> SeatAccount:
    """Staff give so many seats that nobody pays, besides those of the plan; 0 takes them back, and who has one keeps it.

    Raises NotFound, PermissionRefused, StepUpRequired, InvalidInput.
    """
    locking.locked(organization_id, by)
    require(by, Permission.QUOTA_OVERRIDE, organization_id)
    if not 0 <= seats <= MOST:
        raise InvalidInput(f"Give a number of seats up to {MOST:,}.", field="seats")
    if not reason.strip():
        raise InvalidInput("Say why; it stands in the audit log.", field="reason")
    row = locked_row(organization_id)
    before, row.given = row.given, seats
    found = standing_of(row)
    record(row, "seats.given", by=by, before={"given": before}, after={"given": seats}, reason=reason.strip())
    put(row, found, used=found.used, number=found.number(), by=by, why="given")
    return row
