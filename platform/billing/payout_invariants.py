"""Rules about earnings and payouts that must always hold; see invariants."""

from collections.abc import Iterator
from typing import Any

from django.db.models import F, Q, Sum

from billing.models import Payment, PayoutRequest, Transfer
from core.money import Money
from core.public_ids import encode
from ledger.invariants import Check
from ledger.models import LedgerEntry
from organizations.models import Organization

type Sums = dict[tuple[str, str], int]
_SALES = ("payment:", "refund:", "dispute:")


def earned_matches() -> Iterator[str]:
    """What payments say they earned is what the books hold of sales, refunds and disputes for their payee."""
    of_sales = Q()
    for prefix in _SALES:
        of_sales |= Q(transaction__reference__startswith=prefix)
    booked = _sums(LedgerEntry.objects.filter(of_sales, account="organizer_payable").values_list("owner", "currency"), sign=-1)
    rows = Payment.objects.exclude(earned=0).order_by().values_list("organization_id", "currency").annotate(total=Sum("earned"))
    earned = {(str(owner), currency): total for owner, currency, total in rows}
    yield from _differences(booked, earned, "The books hold {here} of its sales, its payments say {there}.")


def payouts_in_transit_match() -> Iterator[str]:
    """What the books hold on its way to banks is what the payouts in transit are."""
    booked = _sums(LedgerEntry.objects.filter(account="payouts_in_transit").values_list("owner", "currency"))
    rows = PayoutRequest.objects.filter(state=PayoutRequest.State.IN_TRANSIT).order_by().values_list("organization_id", "currency")
    moving = {(str(owner), currency): total for owner, currency, total in rows.annotate(total=Sum("amount"))}
    yield from _differences(booked, moving, "The books hold {here} on its way to its bank, its payouts {there}.")


def transferred_matches() -> Iterator[str]:
    """What the books hold in and beyond the connected accounts is what was transferred and has neither come back nor reached a bank."""
    booked = _sums(
        LedgerEntry.objects.filter(account__in=["connected_balance", "payouts_in_transit"]).values_list("owner", "currency"),
    )
    made = Transfer.objects.filter(state=Transfer.State.SUCCEEDED).order_by().values_list("account__organization_id", "currency")
    there = {(str(owner), currency): total for owner, currency, total in made.annotate(total=Sum(F("amount") - F("amount_reversed")))}
    paid = PayoutRequest.objects.filter(state=PayoutRequest.State.PAID).order_by().values_list("organization_id", "currency")
    for owner, currency, total in paid.annotate(total=Sum("amount")):
        there[str(owner), currency] = there.get((str(owner), currency), 0) - total
    yield from _differences(booked, there, "The books hold {here} in its account or on its way, transfers and payouts {there}.")


def payouts_within_available() -> Iterator[str]:
    """No payout exceeds what was available at the moment it was approved; the database refuses it too."""
    for key in PayoutRequest.objects.filter(amount__gt=F("available_at_approval")).values_list("pk", flat=True)[:100]:
        yield f"{encode(PayoutRequest.public_prefix, key)} is more than was available when it was approved."


def _sums(rows: Any, *, sign: int = 1) -> Sums:
    return {(owner, currency): sign * total for owner, currency, total in rows.order_by().annotate(total=Sum("amount"))}


def _differences(booked: Sums, counted: Sums, sentence: str) -> Iterator[str]:
    wrong = sorted(key for key in booked.keys() | counted.keys() if booked.get(key, 0) != counted.get(key, 0))[:100]
    names = {str(pk): name for pk, name in Organization.objects.filter(pk__in={owner for owner, _ in wrong}).values_list("pk", "name")}
    for owner, currency in wrong:
        here, there = (Money(sums.get((owner, currency), 0), currency) for sums in (booked, counted))
        yield f"{names.get(owner, owner)}: {sentence.format(here=here, there=there)}"


# name, what must hold, how it is checked, what to do where it does not
RULES: tuple[tuple[str, str, Check, str], ...] = (
    (
        "earned",
        "Payments earned what the books hold of sales.",
        earned_matches,
        "Compare the payment's lines with its ledger entries; the posting is right, so the payment's sum is corrected by a migration.",
    ),
    (
        "payouts_in_transit",
        "The books hold on its way what the payouts do.",
        payouts_in_transit_match,
        "Replay the payout's events, or wait for the sweep that reads it at Stripe every six hours.",
    ),
    (
        "transferred",
        "What was transferred is in an account, on its way, or paid.",
        transferred_matches,
        "Run a reconciliation of the organization's account; a transfer or payout made at Stripe is listed there.",
    ),
    (
        "payouts_available",
        "No payout exceeds what was available when approved.",
        payouts_within_available,
        "The database refuses this; a violation means rows were changed by hand. Restore them from the audit log.",
    ),
)
