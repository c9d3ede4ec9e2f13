"""What reconciliation left: a run that has ended, a difference, a month that can be closed. States are reached by the models' own moves."""

import itertools
from datetime import UTC, timedelta

from django.utils import timezone

from billing.models import BalanceTransaction, Discrepancy, Payment, ReconciliationPart, ReconciliationPeriod, ReconciliationRun

_numbers = itertools.count(1)


def movement(kind: str = "payout", amount: int = -100, fee: int = 0, currency: str = "USD", about: str = "") -> BalanceTransaction:
    now, number = timezone.now(), next(_numbers)
    return BalanceTransaction.objects.create(
        stripe_id=f"txn_made{number}",
        type=kind,
        reporting_category=kind,
        amount=amount,
        fee=fee,
        currency=currency,
        source=f"po_made{number}",
        about=about,
        created_at=now,
        available_at=now,
    )


def finished_run(*, residual: int = 0) -> ReconciliationRun:
    """A run of the platform's account that ended now, with what it left in USD."""
    now = timezone.now()
    run = ReconciliationRun.objects.create()
    part = ReconciliationPart.objects.create(run=run)
    part.begin()
    part.save()
    part.check_stripe(at=now, snapshot="", to_check=0)
    part.save()
    part.check_books()
    part.save()
    part.finish()
    part.residuals = [{"currency": "USD", "stripe": residual, "books": 0, "timing": 0, "explained": 0, "residual": residual}]
    part.save()
    run.begin(at=now)
    run.save()
    run.finish(at=now)
    run.save()
    return run


def difference(run: ReconciliationRun, *, of: Payment | None = None) -> Discrepancy:
    """Of a payment: Stripe moved money for it that is not booked; else a payout that somebody made at Stripe."""
    kind, about = (Discrepancy.Kind.EXTERNAL, "") if of is None else (Discrepancy.Kind.MISSING_HERE, f"payment:{of.pk}")
    found = movement(about=about)
    return Discrepancy.objects.create(
        about=about or found.stripe_id,
        kind=kind,
        balance_transaction=found,
        their_amount=found.amount,
        their_fee=found.fee,
        their_currency=found.currency,
        happened_at=found.created_at,
        found_in=run,
        seen_in=run,
    )


def last_month() -> ReconciliationPeriod:
    """Open, over, and nothing in it."""
    ends = timezone.now().astimezone(UTC).date().replace(day=1)
    return ReconciliationPeriod.objects.create(currency="USD", starts_on=(ends - timedelta(days=1)).replace(day=1), ends_on=ends)
