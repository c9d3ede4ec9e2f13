"""The life of a payout begins here; the whole of it:

request (here, or by the clock in payout_schedule) -> payout_approval.approve (finance) -> payout_submission.submit (a worker: a transfer
of what the connected account lacks, then the payout from there to the bank) -> payout_sync.sync (the one door for Stripe's word: submit,
webhook and sweep enter there, in any order) -> settle or fail. payout_sweeps finds what got stuck.
"""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from audit.actor import Actor
from audit.recording import record
from billing import connect, earnings, stripe_balances
from billing.earnings import Balance
from billing.models import ConnectedAccount, PayoutRequest
from core import jobs
from core.errors import DomainError, InvalidInput, NotFound
from core.money import CURRENCIES, Money, exponent, payout_step
from organizations.models import Organization
from organizations.permissions import Permission, require


class PayoutsNotUsable(DomainError):
    code, http_status = "PAYOUTS_NOT_USABLE", 409

    def __init__(self, currency: str, account: ConnectedAccount | None) -> None:
        self.currency = currency
        self.missing = account.missing if account is not None else []
        super().__init__(_why_not(currency, account))

    @property
    def details(self) -> dict[str, object]:
        return {"currency": self.currency, "missing": self.missing}


def _why_not(currency: str, account: ConnectedAccount | None) -> str:
    if account is None or account.state == ConnectedAccount.State.OPENING:
        return "Set up payouts first: Stripe needs to know who is paid and where."
    if account.state == ConnectedAccount.State.DEAUTHORIZED:
        return "The payout account was taken away from the platform; set payouts up again."
    if not account.is_usable:
        return "Stripe does not pay this account out yet; finish the set-up on Stripe's pages."
    return f"The payout account has no bank account in {currency}; add one on Stripe's pages."


class PayoutAlreadyOpen(DomainError):
    code, http_status = "PAYOUT_ALREADY_OPEN", 409

    def __init__(self, earlier: PayoutRequest) -> None:
        self.earlier = earlier.public_id
        super().__init__(f"A payout of {earlier.money} is under way already; the next one can be asked for once it has ended.")

    @property
    def details(self) -> dict[str, object]:
        return {"payout": self.earlier}


class NegativeBalance(DomainError):
    code, http_status = "NEGATIVE_BALANCE", 409

    def __init__(self, owed: Money) -> None:
        self.owed = owed
        super().__init__(f"Refunds or disputes took {owed} more than was there; what is earned next makes up for it first.")

    @property
    def details(self) -> dict[str, object]:
        return {"owed": self.owed.amount, "currency": self.owed.currency}


class ExceedsAvailable(DomainError):
    code, http_status = "EXCEEDS_AVAILABLE", 409

    def __init__(self, *, requested: Money, available: Money) -> None:
        self.requested, self.available = requested, available
        super().__init__(f"Only {available} can be paid out now.")

    @property
    def details(self) -> dict[str, object]:
        return {"requested": self.requested.amount, "available": self.available.amount, "currency": self.available.currency}


class BelowMinimum(DomainError):
    code, http_status = "BELOW_PAYOUT_MINIMUM", 409

    def __init__(self, minimum_: Money) -> None:
        self.minimum = minimum_
        super().__init__(f"A payout is at least {minimum_}.")

    @property
    def details(self) -> dict[str, object]:
        return {"minimum": self.minimum.amount, "currency": self.minimum.currency}


class PayoutTokenReused(DomainError):
    code, http_status = "PAYOUT_TOKEN_REUSED", 422

    def __init__(self) -> None:
        super().__init__("This request was sent before with other values; open the dialog again.")


class PayoutNotWaiting(DomainError):
    code, http_status = "PAYOUT_NOT_WAITING", 409

    def __init__(self, payout: PayoutRequest) -> None:
        self.state = payout.state
        super().__init__(f"This payout is {payout.get_state_display().lower()}; that can no longer be done to it.")


def minimum(currency: str) -> Money:
    """The smallest payout in this currency."""
    return Money(int(settings.PAYOUT_MINIMUMS.get(currency, 10 * 10 ** exponent(currency))), currency)


def second_person_above(currency: str) -> Money:
    """The largest payout that whoever asked for it may approve."""
    return Money(int(settings.PAYOUT_SECOND_PERSON_ABOVE.get(currency, 0)), currency)


def payable_out(balance: Balance) -> Money:
    """What can be asked for now, in whole steps of what can be paid out."""
    step = payout_step(balance.currency)
    return Money(balance.available // step * step, balance.currency)


@transaction.atomic
def request(
    *,
    organization_id: UUID,
    currency: str,
    amount: int | None,
    by: Actor,
    source: str,
    note: str = "",
    request_token: str | None = None,
) -> PayoutRequest:
    """Ask for earnings to be paid out; no money has moved on return, finance approves it first.

    amount: minor units, > 0; None takes all that is available. request_token: a second request with it returns the first one's payout.
    Raises NotFound, PermissionRefused, StepUpRequired, InvalidInput, PayoutsNotUsable, PayoutAlreadyOpen, NegativeBalance, BelowMinimum,
    ExceedsAvailable, PayoutTokenReused.
    """
    account = connect.locked(organization_id, by)  # two requests of one organization queue here, or both would see the same rest
    require_visible(organization_id, by)
    require(by, Permission.PAYOUT_REQUEST, organization_id)
    if account is None:
        raise PayoutsNotUsable(currency, None)
    earlier = _same_request(account, request_token, currency, amount)
    if earlier is not None:
        return earlier
    amount = _guarded_amount(account, currency, amount)
    payout = _insert(account, by, amount=amount, currency=currency, source=source, note=note, request_token=request_token)
    record(payout, "payout.requested", by=by, after={"amount": amount, "currency": currency, "source": source}, reason=note)
    for account_id in (None, account.pk):  # so that whoever approves it sees what Stripe has now
        jobs.enqueue(stripe_balances.read, account_id=account_id)
    return payout


def _insert(account: ConnectedAccount, by: Actor, *, amount: int, currency: str, **values: Any) -> PayoutRequest:
    """The new row. Raises PayoutTokenReused."""
    payout = PayoutRequest(
        organization=account.organization,
        account=account,
        amount=amount,
        currency=currency,
        requested_by_id=by.user_id,
        above_limit=amount > second_person_above(currency).amount,
        **values,
    )
    try:
        with transaction.atomic():  # a savepoint: PostgreSQL then still answers the question below
            payout.save(force_insert=True)
    except IntegrityError:
        # the same token raced on another organization, whose lock is not ours: its row was not to be seen before this insert
        if payout.request_token and PayoutRequest.objects.filter(request_token=payout.request_token).exists():
            raise PayoutTokenReused from None
        raise
    return payout


def require_visible(organization_id: UUID, by: Actor) -> None:
    """Raise NotFound where the actor cannot see the organization."""
    if not Organization.objects.visible_to(by).filter(pk=organization_id).exists():
        raise NotFound("organization")


def _same_request(account: ConnectedAccount, token: str | None, currency: str, amount: int | None) -> PayoutRequest | None:
    earlier = PayoutRequest.objects.filter(request_token=token).first() if token else None
    if earlier is None:
        return None
    same_amount = amount is None or earlier.amount == amount
    if earlier.account_id != account.pk or earlier.currency != currency or not same_amount:
        raise PayoutTokenReused
    return earlier


def _guarded_amount(account: ConnectedAccount, currency: str, amount: int | None) -> int:
    """The amount that is asked for, once every rule allows it."""
    if currency not in CURRENCIES:
        raise InvalidInput("Give a currency by its three letters, such as USD.", field="currency")
    if not account.is_usable_in(currency):
        raise PayoutsNotUsable(currency, account)
    open_one = account.payout_requests.open().filter(currency=currency).first()
    if open_one is not None:
        raise PayoutAlreadyOpen(open_one)
    balance = earnings.balance(account.organization_id, currency, at=timezone.now())
    if balance.owed:
        raise NegativeBalance(balance.money("owed"))
    available = payable_out(balance)
    amount = available.amount if amount is None else amount
    step = payout_step(currency)
    if amount < 0 or amount % step:
        raise InvalidInput(f"Give an amount above zero, in steps of {Money(step, currency)}.", field="amount")
    if amount < minimum(currency).amount:
        raise BelowMinimum(minimum(currency))
    if amount > available.amount:
        raise ExceedsAvailable(requested=Money(amount, currency), available=available)
    return amount


def locked(payout_request_id: UUID, by: Actor) -> PayoutRequest:
    """The account's lock first, as everywhere, then the payout as it is under it. Raises NotFound."""
    seen = PayoutRequest.objects.visible_to(by).filter(pk=payout_request_id).values_list("account_id", flat=True).first()
    if seen is None:
        raise NotFound("payout")
    ConnectedAccount.objects.select_for_update().get(pk=seen)
    return PayoutRequest.objects.select_related("account", "organization").get(pk=payout_request_id)


@transaction.atomic
def cancel(*, payout_request_id: UUID, by: Actor) -> PayoutRequest:
    """Take a payout back that nobody has decided on yet. Raises NotFound, PermissionRefused, StepUpRequired, PayoutNotWaiting."""
    payout = locked(payout_request_id, by)
    require(by, Permission.PAYOUT_REQUEST, payout.organization_id)
    if payout.state != PayoutRequest.State.REQUESTED:
        raise PayoutNotWaiting(payout)
    payout.cancel(at=timezone.now())
    payout.save(update_fields=["state", "ended_at", "updated_at"])
    record(payout, "payout.cancelled", by=by, after={"state": payout.state})
    return payout
