"""docs/reference/ledger-accounts.md: the chart, and each fact about money booked for one example."""

from collections.abc import Iterable
from uuid import UUID

from billing import postings
from billing.models import Payment, PaymentLine, Refund
from config.references.markdown import code, page, table
from core.money import Money
from ledger.chart import CHART, Account
from ledger.invariants import registered
from ledger.posting import Entry

_ORGANIZATION = UUID(int=0)
_CURRENCY = "USD"


def render() -> str:
    accounts = [(code(a.code), a.kind.value, a.owner or "one", a.meaning) for a in CHART.values()]
    rules = [(code(rule.name), rule.rule) for rule in registered()]
    return page(
        "Ledger accounts",
        "Debits are positive, credits negative, in minor units; every transaction sums to zero, which PostgreSQL checks. A transaction is "
        "never changed: what was wrong is reversed.",
        "## Chart",
        table(("account", "kind", "kept per", "meaning"), accounts),
        "## Facts",
        f"Booked for one example: a ticket of {_money(10_000)} with {_money(500)} service fee and {_money(840)} tax, refunded whole.",
        *_facts(),
        "## Rules that always hold",
        "Checked every night; the staff console shows the last result.",
        table(("rule", "what holds"), rules),
    )


def _money(amount: int) -> str:
    return str(Money(amount, _CURRENCY))


def _example() -> tuple[Payment, list[PaymentLine]]:
    kinds = PaymentLine.Kind
    lines = [
        PaymentLine(kind=kinds.PRICE, amount=10_000),
        PaymentLine(kind=kinds.SERVICE_FEE, amount=500),
        PaymentLine(kind=kinds.TAX, amount=840, jurisdiction="US-NY"),
    ]
    total = sum(line.amount for line in lines)
    return Payment(organization_id=_ORGANIZATION, amount=total, currency=_CURRENCY), lines


def _facts() -> Iterable[str]:
    payment, lines = _example()
    refund = Refund(payment=payment, amount=payment.amount, currency=_CURRENCY)
    taken = postings.refund_shares(payment, lines, live=payment.amount, held={})
    requested = [*taken, Entry(Account("refunds_in_flight"), -payment.amount)]
    yield _fact("Payment captured", "payment:<id>", postings.payment_captured(payment, lines))
    yield _fact("Stripe's fee, when its balance transaction exists", "payment:<id>:fee", postings.stripe_fee(359))
    yield _fact("Refund requested", "refund:<id>:requested", requested)
    yield _fact("Refund booked, when its balance transaction exists", "refund:<id>", postings.refund_booked(refund))
    passed_on = postings.stripe_fee_passed_on(payment, 359)
    yield _fact("Refund settled, where the organization bears Stripe's fee", "refund:<id>:fee", passed_on)
    yield _fact("Refund failed or given up before it was booked", "refund:<id>:reversal", _reversed(requested))
    late = [*_reversed(taken), Entry(Account("stripe_balance"), payment.amount)]
    yield _fact("Refund failed after it was booked", "refund:<id>:reversal", late)


def _reversed(entries: list[Entry]) -> list[Entry]:
    return [Entry(entry.account, -entry.amount) for entry in entries]


def _fact(title: str, reference: str, entries: list[Entry]) -> str:
    rows = [(code(_shown(entry.account)), _money(entry.amount)) for entry in entries if entry.amount]
    return f"### {title}\n\nReference {code(reference)}.\n\n{table(('account', 'amount'), rows)}"


def _shown(account: Account) -> str:
    return f"{account.code}:<organization>" if account.owner == str(_ORGANIZATION) else str(account)
