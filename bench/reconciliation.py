"""A whole reconciliation of so many balance transactions: brought in page by page, linked, compared both ways, residual worked out.

Stripe is a generator behind the gateway's protocol that makes a page when it is asked for one, so what is measured is our own work. The
books hold a payment and its fee for every movement. BENCH_MILLION=1 adds the promised million.
"""

import os
import resource
from datetime import UTC, datetime, timedelta

from django.utils import timezone

from audit.actor import Actor
from bench import data
from bench.bed import Bed, execute
from bench.measure import Result, clock, queries_of
from billing.gateway.base import GatewayMovement, MovementPage
from billing.models import Discrepancy, Payment, ReconciliationRun
from billing.reconciliation import runs, stepping

SIZES = (10_000, 100_000, *((1_000_000,) if os.environ.get("BENCH_MILLION") else ()))
AMOUNT, FEE, PAGE = 10_000, 320, 100
WRONG_EVERY = 10_000  # one movement in so many has another fee than the books
BEGAN = datetime(2025, 1, 1, tzinfo=UTC)


def measure(bed: Bed) -> list[Result]:
    data.people()
    return [_row(bed, size) for size in SIZES]


def _row(bed: Bed, size: int) -> Result:
    _fill_books(size)
    stepping.gateway = lambda: _Stripe(size)  # type: ignore[assignment]  # for this row alone
    runs.SECONDS = 3600.0
    queries = 0
    with clock(bed, os.getpid()) as took:
        queries = queries_of(_reconcile)
    found = Discrepancy.objects.count()
    (residual,) = ReconciliationRun.objects.get().parts.get().residuals
    if (found, residual["residual"]) != (size // WRONG_EVERY, -size // WRONG_EVERY):
        raise AssertionError(f"{found} differences, {residual}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Result(
        f"reconciliation of {size:,} balance transactions, one in {WRONG_EVERY:,} with a difference; peak {peak:.0f} MB resident",
        "–",
        f"{size / took.seconds:,.0f}/s",
        "–",
        f"{took.cpu * 1000 / size:.3f}",
        f"{queries / size:.3f}",
        "≤ 300 MB, flat cost per row",
    )


def _reconcile() -> None:
    run = runs.start(by=Actor.system("bench"))
    runs.work(run_id=run.pk)
    execute("DELETE FROM django_q_ormq")


class _Stripe:
    """Newest first; the number of a movement is in its id."""

    def __init__(self, size: int) -> None:
        self.size = size

    def balance_transactions(self, *, account: str, since: datetime | None, after: str) -> MovementPage:
        last = int(after.removeprefix("txn_")) - 1 if after else self.size - 1
        first = max(-1, last - PAGE)
        return MovementPage([self._movement(number) for number in range(last, first, -1)], first >= 0)

    def _movement(self, number: int) -> GatewayMovement:
        at = BEGAN + timedelta(seconds=number)
        fee = FEE + (number % WRONG_EVERY == 7)
        return GatewayMovement(f"txn_{number}", "charge", "charge", AMOUNT, fee, "USD", f"ch_{number}", at, at + timedelta(days=2))


def _fill_books(size: int) -> None:
    """Payments and what they posted, made by PostgreSQL itself; the triggers that would check each row are off for it."""
    execute("SET session_replication_role = replica")
    execute(
        "TRUNCATE billing_discrepancy, billing_reconciliationpart, billing_reconciliationperiod, billing_reconciliationrun,"
        " billing_balancetransaction, billing_payment, ledger_ledgerentry, ledger_ledgertransaction CASCADE"
    )
    template = Payment(
        organization_id=data.ORGANIZATION, email="a@mail.example", description="Bench", purpose="bench", subject="s", group="g",
        amount=AMOUNT, amount_captured=AMOUNT, currency="USD", stripe_fee=FEE, paid_at=BEGAN, created_at=BEGAN, updated_at=BEGAN,
    )  # fmt: skip
    template.save()
    columns = [field.column for field in Payment._meta.concrete_fields if field.column is not None and not field.generated]
    made = {
        "id": "uuidv7()", "state": "'succeeded'", "stripe_charge_id": "'ch_' || n", "stripe_payment_intent_id": "'pi_' || n",
        "stripe_balance_transaction_id": "'txn_' || n",
    }  # fmt: skip
    quoted = ", ".join(f'"{column}"' for column in columns)
    values = ", ".join(made.get(column, f't."{column}"') for column in columns)
    execute(f"INSERT INTO billing_payment ({quoted}) SELECT {values} FROM billing_payment t, generate_series(0, {size - 1}) n")
    execute("DELETE FROM billing_payment WHERE stripe_charge_id IS NULL")
    _post("", f"('stripe_balance', {AMOUNT}), ('platform_fees', {-AMOUNT})")
    _post(":fee", f"('stripe_fees', {FEE}), ('stripe_balance', {-FEE})")
    execute("SET session_replication_role = DEFAULT")
    for table in ("billing_payment", "ledger_ledgertransaction", "ledger_ledgerentry"):
        execute(f"ANALYZE {table}")


def _post(suffix: str, lines: str) -> None:
    """One ledger transaction for every payment. lines: (account, amount) pairs of it, as SQL."""
    posted_at = timezone.now() - timedelta(days=1)
    execute(
        "INSERT INTO ledger_ledgertransaction (id, reference, description, currency, occurred_at, posted_at)"
        f" SELECT uuidv7(), 'payment:' || id || '{suffix}', 'Bench', 'USD', '{BEGAN}', '{posted_at}' FROM billing_payment"
    )
    execute(
        "INSERT INTO ledger_ledgerentry (id, transaction_id, account, owner, amount, currency)"
        f" SELECT uuidv7(), t.id, line.account, '', line.amount, 'USD'"
        f" FROM ledger_ledgertransaction t, (VALUES {lines}) line (account, amount)"
        f" WHERE t.reference {'LIKE' if suffix else 'NOT LIKE'} '%%:fee'"
    )
