"""A document as a PDF: its frozen content in words, set by templates/typeset/receipt.typ. Nothing is read but the document."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from billing.documents.content import Content
from billing.models import Document
from core.money import Money
from typesetting.rendering import render

_AMOUNT = {
    Document.Kind.RECEIPT: "Total paid",
    Document.Kind.CREDIT_NOTE: "Total credited",
    Document.Kind.CANCELLATION: "Credit that is cancelled",
}


def pdf(document: Document) -> bytes:
    """The same document gives the same bytes, on any machine and at any time."""
    return render("receipt", words(document), at=document.issued_at)


def file_name(document: Document) -> str:
    return f"{document.shown_number}.pdf"


def words(document: Document) -> dict[str, Any]:
    """What receipt.typ prints: texts only, amounts with their currency."""
    kind, said = Document.Kind(document.kind), document.content
    seller = said["seller"]["legal_name"] or said["seller"]["name"]
    return {
        "title": f"{kind.label} {document.shown_number}",
        "facts": _facts(document, kind, said),
        "seller": _seller(said),
        "buyer": [said["buyer"]["name"], said["buyer"]["email"]],
        "lines_head": ["What", "Amount"],
        "lines": [[line["description"], _money(line["amount"], said)] for line in said["lines"]],
        "total": [_AMOUNT[kind], _money(said["total"], said)],
        "tax_head": ["Tax", "Rate", "Net", "Tax amount"],
        "tax": [_tax(tax, said) for tax in said["taxes"]],
        "notes": _notes(document, kind, said),
        "foot": f"{seller} · {kind.label} {document.shown_number} · issued through {said['platform']}",
    }


def _facts(document: Document, kind: Document.Kind, said: Content) -> list[list[str]]:
    facts = [["Issued", _day(document.issued_at.isoformat())]]
    if kind == Document.Kind.CREDIT_NOTE:
        facts.append(["For receipt", f"{said['about']} of {_day(said['about_issued_at'])}"])
        facts.append(["Refunded", _day(said["refunded_at"])])
    elif kind == Document.Kind.CANCELLATION:
        facts.append(["Cancels", f"{said['about']} of {_day(said['about_issued_at'])}"])
    facts += [["For", said["description"]], ["Paid", _day(said["paid_at"])], ["Payment", said["payment"]]]
    return [*facts, ["Refund", said["refund"]]] if "refund" in said else facts


def _seller(said: Content) -> list[str]:
    seller = said["seller"]
    legal = [f"trading as {seller['name']}"] if seller["legal_name"] not in ("", seller["name"]) else []
    tax_id = [f"Tax id: {seller['tax_id']}"] if seller["tax_id"] else []
    return [seller["legal_name"] or seller["name"], *legal, *seller["address"].splitlines(), seller["country"], *tax_id]


def _tax(tax: dict[str, Any], said: Content) -> list[str]:
    rate = "" if tax["basis_points"] is None else f"{tax['basis_points'] / 100:g} %"
    how = "included in the prices" if tax["inclusive"] else "added to the prices"
    return [f"{tax['name']} ({tax['jurisdiction']}), {how}", rate, _money(tax["base"], said), _money(tax["amount"], said)]


def _notes(document: Document, kind: Document.Kind, said: Content) -> Sequence[str]:
    if kind == Document.Kind.RECEIPT:
        notes = [f"Paid in full to {said['platform']}, which takes payments for {said['seller']['name']}."]
    elif kind == Document.Kind.CREDIT_NOTE:
        notes = ["The amount went back the way it was paid."]
    else:
        failed = f" on {_day(said['failed_at'])}" if said["failed_at"] else ""
        notes = [f"The refund did not reach you: it failed{failed}. {said['reason']}".strip(), "The receipt stands as before this credit."]
    return notes if said["taxes"] else [*notes, "No tax was charged."]


def _money(amount: int, said: Content) -> str:
    return str(Money(amount, said["currency"]))


def _day(moment: str) -> str:
    """ "3 March 2027 (UTC)"; nothing where there is no moment."""
    if not moment:
        return ""
    at = datetime.fromisoformat(moment).astimezone(UTC)
    return f"{at.day} {at:%B %Y} (UTC)"
