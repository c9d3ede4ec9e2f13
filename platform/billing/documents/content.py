"""What a receipt, a credit note or its cancellation says, frozen when it is issued. Pure: rows in, JSON out; no query, no write.

Every amount is minor units of `currency`. `lines` add up to `total`; tax that the prices hold already stands in `taxes` alone, tax on top
of them in both.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings

from billing.models import Payment, PaymentLine, Refund
from core.money import allocate, step
from organizations.models import Organization

type Content = dict[str, Any]

VERSION = 1


def receipt(payment: Payment, lines: Sequence[PaymentLine], organization: Organization) -> Content:
    """lines: the payment's, in order; those that the organization bears are no matter of the buyer's."""
    shown = [line for line in lines if line.payer == PaymentLine.Payer.ATTENDEE]
    sold = sum(line.amount for line in shown if line.kind != PaymentLine.Kind.TAX)
    return {
        "version": VERSION,
        "platform": settings.SITE_NAME,
        "seller": _seller(organization),
        "buyer": {"name": payment.name, "email": payment.email},
        "description": payment.description,
        "payment": payment.public_id,
        "paid_at": payment.paid_at.isoformat() if payment.paid_at else "",
        "currency": payment.currency,
        "lines": [{"kind": str(line.kind), "description": line.description, "amount": line.amount} for line in shown if not line.inclusive],
        "taxes": [_tax(line, sold) for line in shown if line.kind == PaymentLine.Kind.TAX],
        "total": payment.amount_captured,
    }


def _seller(organization: Organization) -> dict[str, str]:
    return {
        "name": organization.name,
        "legal_name": organization.legal_name,
        "address": organization.address,
        "country": organization.country,
        "tax_id": organization.tax_id,
    }


def _tax(line: PaymentLine, sold: int) -> dict[str, Any]:
    return {
        "name": line.description,
        "jurisdiction": line.jurisdiction,
        "basis_points": line.basis_points,
        "inclusive": line.inclusive,
        "base": sold - line.amount if line.inclusive else sold,
        "amount": line.amount,
    }


def credit_note(receipt: Content, *, refund: Refund, tax: Mapping[str, int], earlier: Sequence[Content]) -> Content:
    """What `refund` takes back of what the receipt says.

    earlier: the content of the credit notes about the same receipt that stand. tax: by jurisdiction, what those and this one credit
    together. Every line is what all together should have credited of it less what the earlier ones did, so that notes over the whole
    amount credit each line and each tax to the last unit.
    """
    taxes = _taxes_back(receipt, tax, earlier)
    on_top = [one for one in taxes if not one["inclusive"]]
    sold = refund.amount - sum(one["amount"] for one in on_top)
    lines = _lines_back(receipt, sold, earlier)
    lines += [{"kind": "tax", "description": one["name"], "amount": one["amount"]} for one in on_top]
    return {
        **_same(receipt),
        "lines": [line for line in lines if line["amount"]],
        "taxes": [{**one, "base": sold - (one["amount"] if one["inclusive"] else 0)} for one in taxes],
        "total": refund.amount,
        "refund": refund.public_id,
        "refunded_at": refund.succeeded_at.isoformat() if refund.succeeded_at else "",
    }


def _same(earlier: Content) -> Content:
    """A later document is about the same sale between the same two, as the first one named them."""
    kept = ("version", "platform", "seller", "buyer", "description", "payment", "paid_at", "currency")
    return {name: earlier[name] for name in kept}


def _taxes_back(receipt: Content, tax: Mapping[str, int], earlier: Sequence[Content]) -> list[dict[str, Any]]:
    """The receipt's taxes in its order, with what this note credits of each, zero included."""
    back = []
    for place, one in enumerate(receipt["taxes"]):
        mine = [other["amount"] if other["jurisdiction"] == one["jurisdiction"] else 0 for other in receipt["taxes"]]
        target = allocate(tax[one["jurisdiction"]], mine, to=step(receipt["currency"]))[place]
        back.append({**one, "amount": target - sum(note["taxes"][place]["amount"] for note in earlier)})
    return back


def _lines_back(receipt: Content, sold: int, earlier: Sequence[Content]) -> list[dict[str, Any]]:
    """A discount is part of the price it lowered: nothing is credited at a price that nobody paid."""
    fees = [line for line in receipt["lines"] if line["kind"].endswith("_fee")]
    price = sum(line["amount"] for line in receipt["lines"] if line["kind"] in ("price", "discount"))
    named = [("price", receipt["description"], price), *((fee["kind"], fee["description"], fee["amount"]) for fee in fees)]
    before = [_credited(kind, earlier) for kind, _, _ in named]
    targets = allocate(sold + sum(before), [weight for _, _, weight in named], to=step(receipt["currency"]))
    rows = zip(named, targets, before, strict=True)
    return [{"kind": kind, "description": text, "amount": target - done} for (kind, text, _), target, done in rows]


def _credited(kind: str, earlier: Sequence[Content]) -> int:
    return sum(line["amount"] for note in earlier for line in note["lines"] if line["kind"] == kind)


def cancellation(note: Content, *, refund: Refund) -> Content:
    """The money of a credit note did not reach the buyer: it counts no more, and the receipt stands as before."""
    return {
        **_same(note),
        "lines": note["lines"],
        "taxes": note["taxes"],
        "total": note["total"],
        "refund": note["refund"],
        "refunded_at": note["refunded_at"],
        "failed_at": refund.failed_at.isoformat() if refund.failed_at else "",
        "reason": refund.failure_reason,
    }
