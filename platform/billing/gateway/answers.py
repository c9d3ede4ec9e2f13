"""Stripe's objects turned into ours."""

from datetime import UTC, datetime
from typing import Any

from billing.gateway.base import (
    BalanceTransaction,
    GatewayAccount,
    GatewayDispute,
    GatewayIntent,
    GatewayMovement,
    GatewayPayout,
    GatewayRefund,
    GatewayReversal,
    GatewaySession,
    GatewayTransfer,
)


def _id(value: Any) -> str | None:
    """The id of an object that may be expanded, given as its id, or absent."""
    if value is None or isinstance(value, str):
        return value or None
    return str(value.id)


def _moment(seconds: int | None) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if seconds is not None else None


def _metadata(found: Any) -> dict[str, str]:
    return {str(key): str(value) for key, value in (found.metadata.to_dict() if found.metadata else {}).items()}


def balance_transaction(found: Any) -> BalanceTransaction | None:
    if found is None or isinstance(found, str):
        return None
    return _movement(found)


def _movement(found: Any) -> BalanceTransaction:
    return BalanceTransaction(
        id=found.id, amount=found.amount, fee=found.fee, currency=found.currency.upper(), happened_at=_moment(found.created)
    )


def session(found: Any) -> GatewaySession:
    return GatewaySession(
        id=found.id,
        status=found.status or "",
        payment_status=found.payment_status,
        url=found.url,
        expires_at=datetime.fromtimestamp(found.expires_at, UTC),
        payment_intent_id=_id(found.payment_intent),
        metadata=_metadata(found),
    )


def intent(found: Any) -> GatewayIntent:
    charge = found.latest_charge
    expanded = charge is not None and not isinstance(charge, str)
    return GatewayIntent(
        id=found.id,
        status=found.status,
        amount_received=found.amount_received or 0,
        currency=found.currency.upper(),
        metadata=_metadata(found),
        charge_id=_id(charge),
        balance_transaction=balance_transaction(charge.balance_transaction) if expanded else None,
        error=(found.last_payment_error.message or "") if found.last_payment_error else "",
        happened_at=_moment(charge.created) if expanded else _moment(found.created),
    )


def refund(found: Any) -> GatewayRefund:
    return GatewayRefund(
        id=found.id,
        status=found.status or "",
        amount=found.amount,
        currency=found.currency.upper(),
        charge_id=_id(found.charge),
        payment_intent_id=_id(found.payment_intent),
        metadata=_metadata(found),
        balance_transaction_id=_id(found.balance_transaction),
        failure_balance_transaction_id=_id(getattr(found, "failure_balance_transaction", None)),
        failure_reason=getattr(found, "failure_reason", None) or "",
        happened_at=_moment(found.created),
    )


def dispute(found: Any) -> GatewayDispute:
    return GatewayDispute(
        id=found.id,
        status=found.status,
        amount=found.amount,
        currency=found.currency.upper(),
        reason=found.reason,
        charge_id=_id(found.charge) or "",
        payment_intent_id=_id(found.payment_intent),
        due_by=_moment(found.evidence_details.due_by) if found.evidence_details else None,
        submission_count=found.evidence_details.submission_count if found.evidence_details else 0,
        opened_at=_moment(found.created),
        movements=tuple(_movement(each) for each in found.balance_transactions or ()),
    )


_REQUIREMENTS = ("past_due", "currently_due", "eventually_due", "pending_verification")


def account(found: Any) -> GatewayAccount:
    banks = found.external_accounts.data if getattr(found, "external_accounts", None) else []
    wanted = found.requirements
    return GatewayAccount(
        id=found.id,
        country=found.country or "",
        default_currency=(found.default_currency or "").upper(),
        currencies=tuple(sorted({bank.currency.upper() for bank in banks})),
        charges_enabled=bool(found.charges_enabled),
        transfers_enabled=getattr(found.capabilities, "transfers", None) == "active",
        payouts_enabled=bool(found.payouts_enabled),
        details_submitted=bool(found.details_submitted),
        requirements={name: list(getattr(wanted, name, None) or []) for name in _REQUIREMENTS},
        disabled_reason=getattr(wanted, "disabled_reason", None) or "",
        metadata=_metadata(found),
    )


def transfer(found: Any) -> GatewayTransfer:
    return GatewayTransfer(
        id=found.id,
        amount=found.amount,
        currency=found.currency.upper(),
        destination=_id(found.destination) or "",
        metadata=_metadata(found),
        balance_transaction_id=_id(found.balance_transaction),
        happened_at=_moment(found.created),
    )


def reversal(found: Any) -> GatewayReversal:
    return GatewayReversal(
        id=found.id,
        transfer_id=_id(found.transfer) or "",
        amount=found.amount,
        currency=found.currency.upper(),
        metadata=_metadata(found),
        balance_transaction_id=_id(found.balance_transaction),
        happened_at=_moment(found.created),
    )


def payout(found: Any) -> GatewayPayout:
    return GatewayPayout(
        id=found.id,
        status=found.status,
        amount=found.amount,
        currency=found.currency.upper(),
        metadata=_metadata(found),
        failure_message=found.failure_message or found.failure_code or "",
        arrives_at=_moment(found.arrival_date),
        happened_at=_moment(found.created),
    )


def movement(found: Any) -> GatewayMovement:
    source = found.source
    return GatewayMovement(
        id=found.id,
        type=found.type,
        reporting_category=found.reporting_category,
        amount=found.amount,
        fee=found.fee,
        currency=found.currency.upper(),
        source=_id(source) or "",
        created_at=datetime.fromtimestamp(found.created, UTC),
        available_at=datetime.fromtimestamp(found.available_on, UTC),
        claim="" if source is None or isinstance(source, str) else _claim(source),
        description=found.description or "",
    )


def _claim(source: Any) -> str:
    """Which of our rows the metadata of a charge or a refund names; in a connected account which transfer or reversal moved it."""
    for field, moved in (("source_transfer", "transfer"), ("source_transfer_reversal", "reversal")):
        if found := _id(getattr(source, field, None)):
            return f"{moved}:{found}"
    name = {"charge": "payment", "refund": "refund"}.get(source.object)
    key = _metadata(source).get(f"{name}_id") if name else None
    return f"{name}:{key}" if key else ""
