"""Rules about money that must always hold, each a named line on the console's invariant page and in the nightly run."""

from collections.abc import Iterator

from django.db.models import BigIntegerField, F, OuterRef, Q, Subquery, Sum
from django.db.models.functions import Coalesce

from billing.gateway.base import GatewayError
from billing.gateway.selection import gateway
from billing.models import Payment, Refund
from core.money import Money
from ledger import balances
from ledger.chart import REFUNDS_IN_FLIGHT, STRIPE_BALANCE


def refunded_within_captured() -> Iterator[str]:
    total = Refund.objects.filter(payment=OuterRef("pk"), state="succeeded").order_by().values("payment").annotate(total=Sum("amount"))
    counted = Coalesce(Subquery(total.values("total"), output_field=BigIntegerField()), 0)
    wrong = Payment.objects.annotate(counted=counted).filter(Q(counted__gt=F("amount_captured")) | ~Q(counted=F("amount_refunded")))
    for payment in wrong[:100]:
        yield f"{payment.public_id}: refunds and what was captured do not agree."


def refunds_in_flight_match() -> Iterator[str]:
    """What the books hold in flight is exactly the refunds that took from the payee and have not left Stripe's balance."""
    flying = Refund.objects.exclude(state__in=Refund.ENDED_WITHOUT_MONEY).filter(stripe_balance_transaction_id=None)
    expected = dict(flying.values_list("currency").annotate(total=Sum("amount")))
    booked = {currency: -amount for currency, amount in balances.balances(REFUNDS_IN_FLIGHT).items()}
    for currency in expected.keys() | booked.keys():
        if expected.get(currency, 0) != booked.get(currency, 0):
            off = Money(booked.get(currency, 0) - expected.get(currency, 0), currency)
            yield f"The books hold {off} more in flight than the refunds do."


def stripe_balance_matches() -> Iterator[str]:
    """Asks Stripe, so it is run by a task and never inside a transaction."""
    try:
        theirs = gateway().balance()
    except GatewayError as error:
        yield f"Stripe could not be asked: {error}"
        return
    ours = balances.balances(STRIPE_BALANCE)
    for currency in sorted(theirs.keys() | ours.keys()):
        if theirs.get(currency, 0) != ours.get(currency, 0):
            here, there = Money(ours.get(currency, 0), currency), Money(theirs.get(currency, 0), currency)
            yield f"The books say {here}, Stripe says {there}."
