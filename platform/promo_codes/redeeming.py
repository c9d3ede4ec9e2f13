"""Using a code: found by what the buyer typed, reserved with the place, consumed, released, and restored for late money.

Order of locks: payment, event, registration, code. Nobody waits for another row while holding a code's, so that organization-wide codes
cannot make two events wait for each other.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from audit.actor import Actor
from audit.recording import record
from core.money import Money
from promo_codes import discounts, refusals
from promo_codes.models import PromoCode, Redemption
from promo_codes.spelling import key_of


@dataclass(frozen=True, slots=True)
class Buyer:
    """Who wants to use a code. is_known: signed in, with a confirmed address. is_new: whether the organizer never had them; asked last."""

    email: str
    user_id: UUID | None
    is_known: bool
    is_new: Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Bought:
    """What it is used for: `subject` a place (reg_…), empty for a quote; `group` what it is a place at (evt_…); its list price."""

    subject: str
    group: str
    price: Money


def usable(*, text: str, organization_id: UUID, buyer: Buyer, bought: Bought, at: datetime, lock: bool = False) -> PromoCode:
    """The organization's code that this buyer may use for this now. lock: with its row locked, so that the answer holds until the commit.

    Raises what is in promo_codes.refusals; the same UnknownCode for a code of somebody else as for none.
    """
    if bought.price.amount == 0:
        raise refusals.CodeNotNeeded
    code = find(text=text, organization_id=organization_id, lock=lock)
    _require_fit(code, bought, at)
    if discounts.discount(code, price=bought.price.amount, currency=bought.price.currency) == 0:
        raise refusals.CodeTakesNothing
    if code.is_used_up:
        raise refusals.CodeUsedUp
    if code.is_per_person:
        _require_person(code, buyer)
    return code


def find(*, text: str, organization_id: UUID, lock: bool = False) -> PromoCode:
    """The active code of this spelling. Raises UnknownCode."""
    key = key_of(text)
    if not key or "\x00" in key:
        raise refusals.UnknownCode
    rows = PromoCode.objects.filter(organization_id=organization_id, key=key, state=PromoCode.State.ACTIVE)
    # everybody who uses the code queues here: two that both see one use left would both take it
    found = (rows.select_for_update(of=["self"], no_key=True) if lock else rows).first()
    if found is None:
        raise refusals.UnknownCode
    return found


def _require_fit(code: PromoCode, bought: Bought, at: datetime) -> None:
    if code.subjects and bought.group not in code.subjects:
        raise refusals.CodeNotForThis
    if code.has_ended(at):
        raise refusals.CodeExpired
    if code.starts_at is not None and not code.has_begun(at):
        raise refusals.CodeNotYetValid(code.starts_at)
    if code.currency and code.currency != bought.price.currency:
        raise refusals.CodeInAnotherCurrency(code.currency)
    if code.minimum_amount is not None and bought.price.amount < code.minimum_amount:
        raise refusals.CodeBelowMinimum(Money(code.minimum_amount, code.currency))


def _require_person(code: PromoCode, buyer: Buyer) -> None:
    if not buyer.is_known:
        raise refusals.CodeNeedsAccount
    if not _person_has_left(code, buyer.email, buyer.user_id):
        raise refusals.CodeUsedByPerson
    if code.first_time_only and not buyer.is_new():
        raise refusals.CodeForFirstTime


def _person_has_left(code: PromoCode, email: str, user_id: UUID | None) -> bool:
    if code.max_uses_per_person is None:
        return True
    return code.redemptions.counting().of_person(email, user_id).count() < code.max_uses_per_person


def reserve(*, code: PromoCode, buyer: Buyer, bought: Bought, by: Actor) -> Redemption:
    """Take one use for the place, in the transaction that makes it. The caller has the code from `usable`, locked."""
    redemption = Redemption(
        code=code,
        user_id=buyer.user_id,
        email=buyer.email,
        subject=bought.subject,
        group=bought.group,
        price=bought.price.amount,
        amount=discounts.discount(code, price=bought.price.amount, currency=bought.price.currency),
        currency=bought.price.currency,
    )
    redemption.save(force_insert=True)
    _told(redemption, "redemption.reserved", by)
    return redemption


def consume(*, redemption_id: UUID, at: datetime, by: Actor) -> None:
    """The place is theirs. No-op where that is so already. The caller holds the place's lock."""
    redemption = _locked(redemption_id)
    if redemption.state == Redemption.State.RESERVED:
        redemption.consume(at=at)
        redemption.save(update_fields=["state", "consumed_at", "updated_at"])
        _told(redemption, "redemption.consumed", by)


def release(*, redemption_id: UUID, at: datetime, by: Actor) -> None:
    """The use is free again. No-op where that is so already. The caller holds the place's lock."""
    redemption = _locked(redemption_id)
    if redemption.state != Redemption.State.RELEASED:
        redemption.release(at=at)
        redemption.save(update_fields=["state", "released_at", "updated_at"])
        _told(redemption, "redemption.released", by)


def can_restore(*, redemption_id: UUID) -> bool:
    """Whether the limits leave room to count it again; true until the commit, since the code's row is locked.

    The price was agreed on before: a code that was paused, or whose time ended meanwhile, still stands to it.
    """
    redemption = Redemption.objects.get(pk=redemption_id)
    code = PromoCode.objects.select_for_update(of=["self"], no_key=True).get(pk=redemption.code_id)
    return not code.is_used_up and _person_has_left(code, redemption.email, redemption.user_id)


def restore(*, redemption_id: UUID, at: datetime, by: Actor) -> None:
    """Count a released use again; the caller has asked `can_restore`. No-op where it was never released."""
    redemption = _locked(redemption_id)
    if redemption.state == Redemption.State.RELEASED:
        redemption.restore(at=at)
        redemption.save(update_fields=["state", "consumed_at", "released_at", "updated_at"])
        _told(redemption, "redemption.restored", by)


def _locked(redemption_id: UUID) -> Redemption:
    return Redemption.objects.select_for_update(of=["self"]).select_related("code").get(pk=redemption_id)


def _told(redemption: Redemption, action: str, by: Actor) -> None:
    after = {"state": redemption.state, "code": redemption.code.code, "for": redemption.subject, "discount": str(redemption.discount)}
    record(redemption, action, by=by, organization_id=redemption.code.organization_id, after=after)
