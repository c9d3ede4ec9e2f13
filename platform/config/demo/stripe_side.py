"""The same sales as Stripe has them: records for the sandbox's bulk load."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from billing.models import Payment
from config.demo.exceptions import Exceptions
from config.demo.refunding import Planned
from config.demo.sales import Sale

type Record = dict[str, Any]
_DECLINED_CARD = "4000000000009995"
_UNPAID = (Payment.State.EXPIRED, Payment.State.CANCELLED)


def records(sales: Sequence[Sale], refunds: Sequence[Planned], exceptions: Exceptions) -> list[Record]:
    """One record for each sale that went to Stripe, in the order of their time."""
    of_sale: dict[str, list[Planned]] = {}
    for planned in refunds:
        if planned.at_stripe:
            of_sale.setdefault(planned.sale.suffix, []).append(planned)
    disputes = {sale.suffix: dispute.created_at for sale, dispute in exceptions.disputes}
    elsewhere = {sale.suffix for sale in exceptions.made_at_stripe}
    found = []
    for sale in sales:
        if sale.payment is None:
            continue
        record = _record(sale, of_sale.get(sale.suffix, []))
        if sale.suffix in disputes:
            record["dispute"] = {"created": _seconds(disputes[sale.suffix]), "inquiry": True, "reason": "product_not_received"}
        if sale.suffix in elsewhere:
            record["refunds"] = [{"created": _seconds(sale.at) + 7200}]
        found.append(record)
    return found


def _record(sale: Sale, refunds: Sequence[Planned]) -> Record:
    payment = sale.paid
    metadata = {"payment_id": str(payment.pk)}
    record: Record = {
        "type": "payment",
        "suffix": sale.suffix,
        "amount": payment.amount,
        "currency": payment.currency.lower(),
        "created": _seconds(payment.paid_at or sale.at),
        "description": payment.description,
        "metadata": metadata,
        "transfer_group": payment.group,
        "customer_email": payment.email,
        "checkout": {"metadata": metadata, "client_reference_id": payment.public_id, "name": payment.description},
        "refunds": [_refund(planned) for planned in refunds],
    }
    if sale.outcome == Payment.State.FAILED:
        record["card"] = _DECLINED_CARD
    if sale.outcome in _UNPAID:
        record |= {"type": "checkout_session", "status": "expired"}
    return record


def _refund(planned: Planned) -> Record:
    row = planned.refund
    is_ours = row.source != row.Source.EXTERNAL
    ours = {"refund_id": str(row.pk), "attempt": str(row.attempt), "payment_id": str(row.payment_id)}
    found: Record = {
        "suffix": planned.suffix,
        "created": _seconds(row.submitted_at or row.created_at),
        "amount": row.amount,
        "metadata": ours if is_ours else {},
        "status": "failed" if planned.at_stripe == "succeeded_then_failed" else planned.at_stripe,
    }
    if planned.at_stripe == "succeeded_then_failed":
        found["failed_at"] = _seconds(row.failed_at or row.created_at)
    return found


def _seconds(at: datetime) -> int:
    return int(at.timestamp())
