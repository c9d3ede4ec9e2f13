"""What an organization's money means for its members and for closing it: the answer to organizations.belongings."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from audit.actor import Actor
from billing import earnings, payout_requests, plan_changes
from billing.models import Dispute, Payment, PayoutRequest, PlanChange, Refund
from core.money import Money
from core.public_ids import encode
from organizations.belongings import Blocker, Held, Table

_PAYMENT = ("id", "state", "description", "email", "name", "currency", "amount", "amount_captured", "amount_refunded", "paid_at")
_REFUND = ("id", "payment_id", "state", "currency", "amount", "created_at")
_PAYOUT = ("id", "state", "currency", "amount", "created_at", "paid_at")
_MONEY = frozenset({"amount", "amount_captured", "amount_refunded"})
_UNDER_WAY = ("awaiting_approval", "requested", "approved", "submitting", "unknown", "pending", "requires_action")


class BillingBelongings:
    def held(self, *, organization_id: UUID, user_id: UUID) -> list[Held]:
        """Payments go with what they paid for, so nobody has to take them over for their own sake."""
        return []

    def hand_over(self, *, organization_id: UUID, from_user_id: UUID, to_user_id: UUID, by: Actor) -> None:
        """Who answers for a payment is who may see and refund it where organizers see only their own."""
        Payment.objects.filter(organization_id=organization_id, responsible_id=from_user_id).update(responsible_id=to_user_id)

    def blockers(self, *, organization_id: UUID, at: datetime) -> list[Blocker]:
        payouts = PayoutRequest.objects.filter(organization_id=organization_id, state__in=PayoutRequest.OPEN).count()
        disputes = Dispute.objects.filter(payment__organization_id=organization_id, status__in=Dispute.OPEN).count()
        refunds = Refund.objects.filter(payment__organization_id=organization_id, state__in=_UNDER_WAY).count()
        changes = PlanChange.objects.filter(subscription__organization_id=organization_id, state=PlanChange.State.REQUESTED)
        found = []
        if changes.exclude(kind=PlanChange.Kind.CANCEL).exists():
            found.append(Blocker("plan_change_open", "A change of the plan is on its way to Stripe: try again in a minute."))
        if payouts:
            found.append(Blocker("payouts_open", f"{Held('payouts', payouts)} under way: wait until paid, or cancel."))
        if disputes:
            found.append(Blocker("disputes_open", f"{Held('disputes', disputes)} open: wait for the bank's decision."))
        if refunds:
            found.append(Blocker("refunds_open", f"{Held('refunds', refunds)} under way: wait until they have settled."))
        return [*found, *_of_balances(organization_id, at)]

    def archive(self, *, organization_id: UUID, at: datetime, by: Actor) -> None:
        """The subscription ends with the period that is paid; the books stay as they are."""
        plan_changes.end_with(organization_id=organization_id, by=by)

    def export(self, *, organization_id: UUID) -> list[Table]:
        payments = Payment.objects.filter(organization_id=organization_id)
        refunds = Refund.objects.filter(payment__organization_id=organization_id)
        payouts = PayoutRequest.objects.filter(organization_id=organization_id)
        return [
            Table("payments", _PAYMENT, _rows(payments, _PAYMENT, "pay")),
            Table("refunds", _REFUND, _rows(refunds, _REFUND, Refund.public_prefix)),
            Table("payouts", _PAYOUT, _rows(payouts, _PAYOUT, PayoutRequest.public_prefix)),
        ]


def _of_balances(organization_id: UUID, at: datetime) -> Iterator[Blocker]:
    for balance in earnings.balances_of(organization_id, at=at):
        if balance.owed:
            yield Blocker("balance_negative", f"{balance.money('owed')} owed to the platform: settle that with finance first.")
        elif balance.payable >= payout_requests.minimum(balance.currency).amount:
            yield Blocker("earnings_left", f"{balance.money('payable')} earned and not paid out yet: ask for a payout first.")


def _rows(rows: Any, columns: Sequence[str], prefix: str) -> Iterator[Sequence[Any]]:
    """Ids typed, amounts in major units."""
    for row in rows.order_by("pk").values(*columns).iterator(chunk_size=2_000):
        currency = row["currency"]
        shown = {name: Money(row[name], currency).major for name in _MONEY & row.keys()}
        payment = {"payment_id": encode("pay", row["payment_id"])} if "payment_id" in row else {}
        values = {**row, **shown, **payment, "id": encode(prefix, row["id"])}
        yield [values[name] for name in columns]
