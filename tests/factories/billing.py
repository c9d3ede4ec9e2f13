"""Payments and refunds, made by the operations themselves: no row is created in a later state.

What stands at Stripe is loaded into the stand-in, so that the gateway finds it there.
"""

import itertools
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from audit.actor import Actor, StaffGroup
from billing import checkout, payments, quoting, refund_terms, refunds
from billing.gateway.base import BalanceTransaction, GatewayIntent
from billing.gateway.selection import gateway
from billing.models import Payment, Refund
from billing.payments import Sale
from billing.quoting import Quote, QuoteLine
from core.money import Money
from organizations.models import Organization
from sandbox.stripe.server import Sandbox
from tests.factories.organizations import OrganizationFactory
from tests.factories.people import staff

_numbers = itertools.count(1)
SYSTEM = Actor.system("tests")


def sale(
    *, purpose: str = "test", starts_in: timedelta | None = timedelta(days=30), terms: Sequence[dict[str, Any]] | None = None, **more: Any
) -> Sale:
    """What is sold: something that begins in `starts_in`, under the default refund terms."""
    return Sale(
        purpose=purpose,
        subject=more.get("subject", f"reg_{next(_numbers)}"),
        group=more.get("group", "evt_1"),
        description=more.get("description", "Ethics in practice"),
        responsible_id=more.get("responsible_id"),
        refund_terms=refund_terms.DEFAULT_TERMS if terms is None else terms,
        service_starts_at=None if starts_in is None else timezone.now() + starts_in,
        release_at=more.get("release_at"),
    )


def plain_quote(amount: int, currency: str = "USD") -> Quote:
    return Quote((QuoteLine("price", "Ethics in practice", amount),), Money(amount, currency), "No tax is charged.")


def pending_payment(
    *, amount: int = 5000, currency: str = "USD", organization: Organization | None = None, quote: Quote | None = None, **of_sale: Any
) -> Payment:
    """A payment that waits to be paid. quote: priced lines instead of one plain `amount`."""
    organization = organization or OrganizationFactory.create()
    return payments.create(
        quote=quote or plain_quote(amount, currency),
        organization=organization,
        sale=sale(**of_sale),
        email="zoe@example.org",
        name="Zoë Ågren",
        user_id=None,
    )


def priced(organization: Organization, price: int, currency: str = "USD", **more: Any) -> Quote:
    return quoting.quote(organization=organization, price=price, currency=currency, description="Ethics", at=timezone.now(), **more)


def intent_for(payment: Payment, status: str = "succeeded", **values: Any) -> GatewayIntent:
    """What Stripe would say about this payment's intent; not stored anywhere."""
    received = payment.amount if status == "succeeded" else 0
    charge = {"charge_id": f"ch_{payment.pk}", "happened_at": timezone.now()} if status == "succeeded" else {}
    return GatewayIntent(
        **{
            "id": f"pi_{payment.pk}",
            "status": status,
            "amount_received": received,
            "currency": payment.currency,
            "metadata": {"payment_id": str(payment.pk)},
            **charge,
            **values,
        }
    )


def fee_of(payment: Payment, fee: int = 175, **values: Any) -> BalanceTransaction:
    return BalanceTransaction(**{"id": f"txn_{payment.pk}", "amount": payment.amount, "fee": fee, "currency": payment.currency, **values})


def sync(payment: Payment, intent: GatewayIntent, *, at: datetime | None = None) -> Payment:
    return payments.sync(payment_id=payment.pk, intent=intent, at=at or timezone.now(), by=SYSTEM)


def paid_payment(*, fee: int | None = 175, **of_payment: Any) -> Payment:
    """A payment that succeeded, its fee booked unless `fee` is None; Stripe does not know it."""
    payment = pending_payment(**of_payment)
    return sync(payment, intent_for(payment, balance_transaction=None if fee is None else fee_of(payment, fee)))


def payment_at_stripe(sandbox: Sandbox, *, card: str = "4242424242424242", **of_payment: Any) -> Payment:
    """A payment that succeeded here and at the stand-in, without its webhooks."""
    payment = pending_payment(**of_payment)
    suffix = f"p{payment.pk.hex}"
    record = {
        "type": "payment",
        "suffix": suffix,
        "amount": payment.amount,
        "currency": payment.currency.lower(),
        "created": int(timezone.now().timestamp()) - 60,
        "card": card,
        "metadata": {"payment_id": str(payment.pk)},
    }
    sandbox.control.load([record])
    return sync(payment, gateway().retrieve_intent(f"pi_{suffix}"))


def checkout_session(payment: Payment) -> str:
    """The id of Stripe's open session for this payment, opened if need be."""
    checkout.open(payment_id=payment.pk)
    found: str = payment.checkout_sessions.get(state="open").stripe_session_id
    return found


def finance() -> Actor:
    """A new person who may refund and approve, the second factor used just now."""
    return staff(StaffGroup.FINANCE)


def requested_refund(payment: Payment, amount: int | None = None, *, by: Actor | None = None, **values: Any) -> Refund:
    """A refund that finance asked for; the whole rest unless an amount is named."""
    given: dict[str, Any] = {"reason": "requested_by_customer", "source": "console", **values}
    whole = refunds.refundable(Payment.objects.get(pk=payment.pk)).amount if amount is None else amount
    return refunds.request(payment_id=payment.pk, amount=whole, by=by or finance(), **given)


def again[M: Payment | Refund](row: M) -> M:
    """The row as it is now."""
    found: M = type(row)._default_manager.get(pk=row.pk)  # type: ignore[assignment]
    return found
