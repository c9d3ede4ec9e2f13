"""What must hold after every fault: exactly one refund on each side, books balanced, nothing lost."""

from collections.abc import Sequence
from typing import Any

from billing.gateway.selection import gateway
from billing.models import Payment, Refund
from ledger import balances, invariants
from sandbox.stripe.server import Sandbox


def refund_posts(sandbox: Sandbox) -> list[dict[str, Any]]:
    return list(sandbox.control.requests(method="POST", path="/v1/refunds"))


def refunds_at_stripe(payment: Payment) -> list[tuple[str, int]]:
    """(status, amount) of every refund that Stripe holds of this payment."""
    return [(each.status, each.amount) for each in gateway().refunds_of(payment.stripe_payment_intent_id or "")]


def assert_whole(payment: Payment, *, refunds: Sequence[int]) -> None:
    """The refunds (amounts) exist once here and once at Stripe, and every invariant of the books holds, Stripe's balance included."""
    ours = Refund.objects.filter(payment=payment, state=Refund.State.SUCCEEDED)
    assert sorted(ours.values_list("amount", flat=True)) == sorted(refunds)
    assert sorted(amount for status, amount in refunds_at_stripe(payment) if status == "succeeded") == sorted(refunds)
    assert not any(balances.totals().values())
    assert {name: found for name, found in invariants.violations().items() if found} == {}
    assert Payment.objects.get(pk=payment.pk).amount_refunded == sum(refunds)
