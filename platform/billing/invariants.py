"""Rules about money that must always hold, each a named line on the console's invariant page and in the nightly run."""

from collections.abc import Iterator
from datetime import timedelta

from django.db.models import BigIntegerField, Count, F, Max, OuterRef, Q, Subquery, Sum
from django.db.models.functions import Coalesce
from django.utils import timezone

from billing.gateway.base import GatewayError
from billing.gateway.selection import gateway
from billing.models import Dispute, DisputeMovement, Document, DocumentSeries, Payment, Refund
from core.money import Money
from core.public_ids import encode
from ledger import balances
from ledger.chart import DISPUTES_HELD, REFUNDS_IN_FLIGHT, STRIPE_BALANCE
from ledger.invariants import Check


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


def disputes_held_match() -> Iterator[str]:
    """What the books hold for disputes is exactly what Stripe withdrew and neither gave back nor declared lost."""
    undecided = DisputeMovement.objects.exclude(dispute__status=Dispute.Status.LOST)
    expected = dict(undecided.values_list("currency").annotate(total=-Sum("amount")))
    booked = balances.balances(DISPUTES_HELD)
    for currency in sorted(expected.keys() | booked.keys()):
        if expected.get(currency, 0) != booked.get(currency, 0):
            here, there = Money(booked.get(currency, 0), currency), Money(expected.get(currency, 0), currency)
            yield f"The books hold {here} for disputes, the disputes themselves {there}."


def decided_disputes_hold_nothing() -> Iterator[str]:
    """A dispute that was won or prevented gets its money back within days; one that still holds some is asked about at Stripe."""
    long_ago = timezone.now() - timedelta(days=7)
    decided = Dispute.objects.filter(status__in=Dispute.FINAL, closed_at__lt=long_ago).exclude(status=Dispute.Status.LOST)
    held = decided.annotate(net=Sum("movements__amount")).filter(net__lt=0).values_list("id", "currency", "net")
    for key, currency, net in held[:100]:
        yield f"{encode(Dispute.public_prefix, key)} was decided a week ago, and {Money(-net, currency)} did not come back."


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


def documents_without_gaps() -> Iterator[str]:
    """Each series of receipts and credit notes runs from 1 to the last number that was given out, and receipts say what was captured."""
    found = Document.objects.values_list("organization_id", "kind", "year").annotate(count=Count("pk"), last=Max("number"))
    known = {(organization_id, kind, year): (count, last) for organization_id, kind, year, count, last in found}
    for series in DocumentSeries.objects.exclude(last_number=0).order_by("pk"):
        count, last = known.get((series.organization_id, series.kind, series.year), (0, 0))
        if not count == last == series.last_number:
            whose, what = encode("org", series.organization_id), series.get_kind_display().lower()
            yield f"{whose}: {count} {what}s of {series.year}, the last number is {last}, and {series.last_number} were given out."
    for receipt in Document.objects.filter(kind="receipt").exclude(amount=F("payment__amount_captured")).select_related("payment")[:100]:
        yield f"{receipt.payment.public_id}: the receipt does not say what was captured."


# name, what must hold, how it is checked, what to do where it does not
RULES: tuple[tuple[str, str, Check, str], ...] = (
    (
        "refunded_within_captured",
        "Refunds never exceed what was captured.",
        refunded_within_captured,
        "Open the payment: a refund made at Stripe as well is recorded there. Ask the payee or the buyer for what was sent twice.",
    ),
    (
        "refunds_in_flight",
        "The books hold in flight what the refunds do.",
        refunds_in_flight_match,
        "Run a reconciliation; the refund that differs is listed there, and re-fetching it books what is missing.",
    ),
    (
        "stripe_balance",
        "The ledger's Stripe balance is Stripe's.",
        stripe_balance_matches,
        "Run a reconciliation and settle its differences; younger than 15 minutes they settle themselves.",
    ),
    (
        "disputes_held",
        "The books hold for disputes what Stripe withdrew and nobody decided.",
        disputes_held_match,
        "Replay the dispute's events; its page shows each balance transaction that is booked.",
    ),
    (
        "decided_disputes",
        "A decided dispute holds nothing.",
        decided_disputes_hold_nothing,
        "Ask Stripe's support for the money of a dispute that was won; if it will not come, write it off in the reconciliation.",
    ),
    (
        "documents",
        "Receipts and credit notes are numbered without gaps.",
        documents_without_gaps,
        "The database refuses a gap; a violation means rows were changed by hand. Restore them from a backup.",
    ),
)
