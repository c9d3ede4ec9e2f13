"""Refunds of the demo: rows with the state each is moved to, what Stripe knows of them, and what the ledger holds."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any
from uuid import UUID

from billing import postings
from billing.models import Payment, Refund
from config.demo.ids import key
from config.demo.people import ADMIN, FINANCE, FINANCE_SECOND
from config.demo.sales import Sale
from core.money import percentage, round_half_up
from ledger.chart import REFUNDS_IN_FLIGHT, STRIPE_BALANCE
from ledger.posting import Entry
from organizations.models import Organization
from registrations.models import Registration

State = Refund.State
_TAKES_NOTHING = (State.FAILED, State.CANCELLED)


@dataclass
class Planned:
    """state: where the refund ends. at_stripe: Stripe's word for it, "" where it never heard of it.

    facts: what the ledger holds of it, entries by fact. number: which refund of its sale it is.
    """

    sale: Sale
    refund: Refund
    state: str
    at_stripe: str
    number: int
    facts: dict[str, list[Entry]] = field(default_factory=dict)

    @property
    def suffix(self) -> str:
        return f"{self.sale.suffix}r{self.number}"


def refund(
    sale: Sale,
    *,
    amount: int,
    at: datetime,
    state: str,
    at_stripe: str = "",
    requested_by: UUID | None = FINANCE.user_id,
    approved_by: UUID | None = None,
    **values: Any,
) -> Planned:
    """A refund of `amount` minor units that was requested `at`; its entries are the ones that the operations would have posted."""
    payment = sale.paid
    sale.refunds += 1
    row = Refund(
        id=key(at, "refund", sale.suffix, sale.refunds),
        payment=payment,
        amount=amount,
        currency=payment.currency,
        requested_by_id=requested_by,
        approved_by_id=approved_by,
        created_at=at,
        updated_at=at,
        **{"reason": Refund.Reason.REQUESTED_BY_CUSTOMER, "source": Refund.Source.CONSOLE, **values},
    )
    planned = Planned(sale, row, str(state), at_stripe, sale.refunds)
    _times_and_ids(planned, at)
    _facts(planned)
    return planned


def _times_and_ids(planned: Planned, at: datetime) -> None:
    row = planned.refund
    if planned.at_stripe or planned.state in (State.SUBMITTING, State.UNKNOWN):
        row.submitted_at = at + timedelta(minutes=1)
    if planned.at_stripe and planned.state != State.UNKNOWN:
        row.stripe_refund_id = f"re_{planned.suffix}"
        if planned.at_stripe in ("succeeded", "succeeded_then_failed"):
            row.stripe_balance_transaction_id = f"txn_{planned.suffix}"
            row.succeeded_at = at + timedelta(minutes=1)
    if planned.state in _TAKES_NOTHING:
        later = timedelta(days=3) if planned.at_stripe == "succeeded_then_failed" else timedelta(minutes=2)
        row.failed_at = row.updated_at = at + later
    if planned.at_stripe == "succeeded_then_failed":
        row.failure_balance_transaction_id = f"txn_{planned.suffix}f"


def _facts(planned: Planned) -> None:
    """requested, booked ("") and the passed-on fee as far as it came, and their reversals where it took no money in the end."""
    row, facts = planned.refund, planned.facts
    facts["requested"] = [*_shares(planned.sale, row.amount), Entry(REFUNDS_IN_FLIGHT, -row.amount)]
    if row.stripe_balance_transaction_id:
        facts[""] = postings.refund_booked(row)
        facts["fee"] = _fee_share(planned.sale, row.amount)
    if planned.state in _TAKES_NOTHING:
        came_from = STRIPE_BALANCE if row.stripe_balance_transaction_id else REFUNDS_IN_FLIGHT
        facts["reversal"] = [*_shares(planned.sale, -row.amount), Entry(came_from, row.amount)]
        if row.stripe_balance_transaction_id:
            facts["fee-reversal"] = _fee_share(planned.sale, -row.amount)
    for fact in [fact for fact, entries in facts.items() if not entries]:
        del facts[fact]


def _shares(sale: Sale, change: int) -> list[Entry]:
    """Bring each account to its share of all refunds of the sale, now that they are `change` minor units more (or less)."""
    sale.live += change
    shares = postings.refund_shares(sale.paid, sale.lines, live=sale.live, held=sale.held)
    for entry in shares:
        sale.held[entry.account] = sale.held.get(entry.account, 0) + entry.amount
    return shares


def _fee_share(sale: Sale, change: int) -> list[Entry]:
    """What the organization bears of Stripe's fee where it chose to: as much as is refunded of the payment."""
    payment = sale.paid
    if payment.refund_fee_policy != Organization.RefundFeePolicy.ORGANIZER:
        return []
    sale.settled += change
    share = round_half_up(Fraction(sale.fee * sale.settled, payment.amount)) - sale.fee_borne
    sale.fee_borne += share
    return postings.stripe_fee_passed_on(payment, share) if share else []


def part(sale: Sale, percent: int) -> int:
    """So many percent of what the sale brought, minor units."""
    payment = sale.paid
    return percentage(payment.amount, percent * 100, payment.currency)


class Till:
    """Paid sales that nothing else was done to, latest first; each is taken once."""

    def __init__(self, sales: Sequence[Sale]) -> None:
        self._sales = deque(sale for sale in reversed(sales) if sale.outcome == Payment.State.SUCCEEDED and not sale.refunds)

    def take(self, fits: Callable[[Sale], bool] = lambda sale: True) -> Sale:
        """The latest sale that fits. Raises LookupError where there is none: a demo needs some two hundred registrations."""
        for sale in self._sales:
            if fits(sale):
                self._sales.remove(sale)
                return sale
        raise LookupError("The demo is too small for everything that it has to show; seed more registrations.")


def everyday(sales: Sequence[Sale], *, anchor: datetime) -> list[Planned]:
    """What happens all the time: every fifteenth buyer cancels in time, every fortieth too late for all of it, some get a part back."""
    found = []
    for number, sale in enumerate(sale for sale in sales if sale.outcome == Payment.State.SUCCEEDED):
        at = sale.at + timedelta(hours=20)
        if at > min(sale.event.starts_at, anchor) or number % 5:
            continue
        limited = sale.paid.amount > 20_000
        approval = {"approved_by": FINANCE_SECOND.user_id} if limited else {}
        if number % 15 == 0:
            found.append(
                refund(sale, amount=sale.paid.amount, at=at, state=State.SUCCEEDED, at_stripe="succeeded", releases_place=True, **approval)
            )
            sale.cancel_place(at, Registration.CancelReason.ATTENDEE)
        elif number % 40 == 5:
            found.append(
                refund(sale, amount=part(sale, 50), at=at, state=State.SUCCEEDED, at_stripe="succeeded", requested_by=ADMIN.user_id)
            )
    return found
