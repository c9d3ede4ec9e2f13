"""What an organization has earned, and how much of it can be paid out: derived from the books and the payments at each question.

payable (the books) = reserved (events that have not ended long enough ago) + disputed + in open requests + available. Below zero it is
owed to the platform: it blocks payouts and is netted by later earnings.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Case, F, Q, Sum, Value, When
from django.db.models.functions import Coalesce
from django.utils import timezone

from billing.models import Payment, PayoutRequest, StripeBalance
from core.money import Money
from ledger.chart import connected_balance, organizer_payable, payouts_in_transit
from ledger.models import LedgerEntry
from ledger.posting import Entry


@dataclass(frozen=True, slots=True)
class Balance:
    """Minor units of one currency. connected: what the books hold in the organization's account at Stripe.

    at_stripe: what Stripe could send now, as read at `read_at`: the platform's available balance that no other approved payout waits
    for, and what the connected account holds; None where Stripe was never asked.
    """

    currency: str
    payable: int = 0
    reserved: int = 0
    disputed: int = 0
    requested: int = 0
    connected: int = 0
    in_transit: int = 0
    at_stripe: int | None = None
    read_at: datetime | None = None

    @property
    def owed(self) -> int:
        """What the organization owes the platform: refunds or disputes took more than it had."""
        return max(0, -self.payable)

    @property
    def unrequested(self) -> int:
        """What is neither reserved, disputed nor asked for; below zero where these add up to more than there is."""
        return self.payable - self.reserved - self.disputed - self.requested

    @property
    def available(self) -> int:
        free = self.unrequested if self.at_stripe is None else min(self.unrequested, self.at_stripe)
        return max(0, free)

    def money(self, name: str) -> Money:
        return Money(getattr(self, name), self.currency)


def balances_of(organization_id: UUID, *, at: datetime) -> list[Balance]:
    """One balance for each currency in which the organization has earned, by currency. Five queries, however much was sold."""
    books = _in_the_books(organization_id)
    withheld = _withheld(organization_id, at)
    requested = dict(_open_requests(organization_id))
    currencies = sorted({currency for currency, _ in books} | withheld.keys() | requested.keys())
    stripe = _at_stripe(organization_id, currencies)
    payable, connected, transit = (make(organization_id).code for make in (organizer_payable, connected_balance, payouts_in_transit))
    return [
        Balance(
            currency=currency,
            payable=-books.get((currency, payable), 0),
            reserved=withheld.get(currency, (0, 0))[0],
            disputed=withheld.get(currency, (0, 0))[1],
            requested=requested.get(currency, 0),
            connected=books.get((currency, connected), 0),
            in_transit=books.get((currency, transit), 0),
            at_stripe=stripe[currency][0] if currency in stripe else None,
            read_at=stripe[currency][1] if currency in stripe else None,
        )
        for currency in currencies
    ]


def overview(*, limit: int) -> list[tuple[UUID, Balance]]:
    """(organization, what the books say of it) per currency, those who owe first, then those who are owed most; one query.

    What is reserved, disputed or asked for is left out: `balances_of` one organization tells it.
    """
    entries: Any = LedgerEntry.objects.filter(account__in=["organizer_payable", "connected_balance", "payouts_in_transit"])
    entries = (
        entries.order_by()
        .values("owner", "currency")
        .annotate(
            payable=Coalesce(Sum("amount", filter=Q(account="organizer_payable")), 0),
            connected=Coalesce(Sum("amount", filter=Q(account="connected_balance")), 0),
            in_transit=Coalesce(Sum("amount", filter=Q(account="payouts_in_transit")), 0),
        )
    )
    owing_first = Case(When(payable__gt=0, then=F("payable")), default=Value(0))  # a credit is below zero: what is above is owed to us
    rows = entries.exclude(payable=0, connected=0, in_transit=0).order_by(owing_first.desc(), "payable", "owner", "currency")[:limit]
    return [
        (UUID(row["owner"]), Balance(row["currency"], payable=-row["payable"], connected=row["connected"], in_transit=row["in_transit"]))
        for row in rows
    ]


def balance(organization_id: UUID, currency: str, *, at: datetime) -> Balance:
    """The balance in one currency; of zeros where nothing was earned in it."""
    found = [each for each in balances_of(organization_id, at=at) if each.currency == currency]
    return found[0] if found else Balance(currency)


def _in_the_books(organization_id: UUID) -> dict[tuple[str, str], int]:
    codes = [make(organization_id).code for make in (organizer_payable, connected_balance, payouts_in_transit)]
    entries = LedgerEntry.objects.filter(account__in=codes, owner=str(organization_id))
    rows = entries.order_by().values_list("currency", "account").annotate(total=Sum("amount"))
    return {(currency, account): total for currency, account, total in rows}


def _withheld(organization_id: UUID, at: datetime) -> dict[str, tuple[int, int]]:
    """(reserved, disputed) per currency. What is disputed of a payment that is reserved too counts once; what is lost left the books."""
    unreleased = Payment.objects.filter(organization_id=organization_id, release_at__gt=at, paid_at__isnull=False, earned__gt=0)
    reserved = dict(unreleased.order_by().values_list("currency").annotate(total=Sum("earned")))
    disputed: dict[str, int] = {}
    for payment in Payment.objects.open_disputes(organization_id):
        disputed[payment.currency] = disputed.get(payment.currency, 0) + payment.open_disputes
        if payment.release_at is not None and payment.release_at > at:
            reserved[payment.currency] = reserved.get(payment.currency, 0) - max(0, min(payment.earned, payment.open_disputes))
    return {one: (reserved.get(one, 0), disputed.get(one, 0)) for one in reserved.keys() | disputed.keys()}


def _open_requests(organization_id: UUID) -> Sequence[tuple[str, int]]:
    return list(PayoutRequest.objects.open().filter(organization_id=organization_id).values_list("currency", "amount"))


def _at_stripe(organization_id: UUID, currencies: Sequence[str]) -> dict[str, tuple[int, datetime]]:
    """What Stripe could send per currency and when it was read: only currencies of which the platform's balance was read."""
    mine = Q(account=None) | Q(account__organization_id=organization_id)
    readings = StripeBalance.objects.filter(mine, currency__in=currencies)
    waiting = PayoutRequest.objects.filter(state=PayoutRequest.State.APPROVED, currency__in=currencies)
    others = waiting.exclude(organization_id=organization_id).order_by().values_list("currency").annotate(total=Sum("amount"))
    promised = dict(others)
    found: dict[str, tuple[int, datetime]] = {}
    for reading in sorted(readings, key=lambda each: each.account_id is not None):
        if reading.account_id is None:
            found[reading.currency] = (max(0, reading.available - promised.get(reading.currency, 0)), reading.read_at)
        elif reading.currency in found:
            amount, read_at = found[reading.currency]
            found[reading.currency] = (amount + max(0, reading.available), min(read_at, reading.read_at))
    return found


def of_payee(payment: Payment, entries: Sequence[Entry]) -> int:
    """What these entries give the payee; below zero where they take."""
    theirs = organizer_payable(payment.organization_id)
    return -sum(entry.amount for entry in entries if entry.account == theirs)


def note(payment: Payment, entries: Sequence[Entry]) -> None:
    """Add to the payment what these entries give the payee (or take back). Whoever posts about a payment calls this, under its lock.

    PostgreSQL adds, so that a second object of the same row cannot take back what another noted.
    """
    change = of_payee(payment, entries)
    if change:
        Payment.objects.filter(pk=payment.pk).update(earned=F("earned") + change, updated_at=timezone.now())
        payment.earned = Payment.objects.values_list("earned", flat=True).get(pk=payment.pk)


def move_release(*, group: str, at: datetime | None) -> int:
    """The earnings of everything sold under `group` become available at this moment instead; how many payments. For rescheduling."""
    return Payment.objects.filter(group=group).update(release_at=at)
