"""Where the demo's organizations are paid out to: an account each, with banks in what it sells in, and who asked for what."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from billing.models import ConnectedAccount, PayoutRequest, Transfer
from config.demo import catalogue
from config.demo.copying import copy_rows
from config.demo.ids import key
from config.demo.moving import move
from config.demo.people import ADMIN, EPOCH, FINANCE, OTHER_ADMIN, OWNER, SignIn

_NAMES = {catalogue.RIVERSIDE: "riverside", catalogue.NORDLICHT: "nordlicht", catalogue.OSEI: "osei"}
_COUNTRIES = {catalogue.RIVERSIDE: "US", catalogue.NORDLICHT: "DE", catalogue.OSEI: "US"}


def stripe_id(organization_id: UUID) -> str:
    return f"acct_demo{_NAMES[organization_id]}"


def currencies(organization_id: UUID) -> list[str]:
    return sorted({offer.currency for offer in catalogue.OFFERS if offer.organization_id == organization_id and offer.price})


def is_restricted(organization_id: UUID) -> bool:
    return organization_id == catalogue.OSEI


def at_stripe(anchor: datetime) -> list[dict[str, Any]]:
    """The same accounts as Stripe has them: records for the sandbox's bulk load."""
    return [
        {
            "type": "account",
            "suffix": stripe_id(organization_id).removeprefix("acct_"),
            "created": int((anchor - catalogue.AGE).timestamp()),
            "country": _COUNTRIES[organization_id],
            "currencies": [currency.lower() for currency in currencies(organization_id)],
            "restricted": is_restricted(organization_id),
        }
        for organization_id in _NAMES
    ]


def write(anchor: datetime) -> None:
    """Open accounts, as Stripe's pages would have left them; of one of the owners Stripe has asked for a document since."""
    since = anchor - catalogue.AGE
    rows = [
        ConnectedAccount(
            id=key(EPOCH, "account", name),
            organization_id=organization_id,
            stripe_account_id=stripe_id(organization_id),
            country=_COUNTRIES[organization_id],
            default_currency=currencies(organization_id)[0],
            currencies=currencies(organization_id),
            charges_enabled=True,
            transfers_enabled=not is_restricted(organization_id),
            payouts_enabled=not is_restricted(organization_id),
            details_submitted=True,
            requirements={"past_due": ["individual.verification.document"]} if is_restricted(organization_id) else {},
            disabled_reason="requirements.past_due" if is_restricted(organization_id) else "",
            opening_since=since,
            synced_at=anchor,
            created_at=since,
            updated_at=since,
        )
        for organization_id, name in _NAMES.items()
    ]
    copy_rows(rows)
    move(ConnectedAccount, [(row.pk, str(ConnectedAccount.State.OPEN)) for row in rows])


@dataclass(frozen=True, slots=True)
class Asked:
    """One payout of the demo: ago: before the anchor; state: where it stands; why: what finance or Stripe said."""

    organization_id: UUID
    currency: str
    amount: int
    by: SignIn
    ago: timedelta
    state: str = "requested"
    why: str = ""


_ASKED = (
    Asked(catalogue.RIVERSIDE, "USD", 25_000, ADMIN, timedelta(days=1)),
    Asked(catalogue.NORDLICHT, "EUR", 18_000, OTHER_ADMIN, timedelta(hours=5)),
    Asked(catalogue.OSEI, "USD", 12_000, OWNER, timedelta(days=2), "on_hold", "Stripe asks for a document first."),
    Asked(catalogue.NORDLICHT, "JPY", 30_000, OTHER_ADMIN, timedelta(days=3), "failed", "Insufficient available funds in JPY."),
    Asked(catalogue.RIVERSIDE, "USD", 90_000, ADMIN, timedelta(days=9), "cancelled"),
    Asked(catalogue.NORDLICHT, "EUR", 40_000, OTHER_ADMIN, timedelta(days=16), "rejected", "The bank account had just changed; ask again."),
)
_PATHS: dict[str, tuple[str, ...]] = {"on_hold": ("approved", "on_hold"), "failed": ("approved", "transferring", "failed")}


def write_payouts(anchor: datetime) -> None:
    """Payouts that wait for finance, and some that came to nothing: no money has moved at Stripe."""
    accounts = {row.organization_id: row for row in ConnectedAccount.objects.filter(organization__in=_NAMES)}
    rows = [_payout(asked, accounts[asked.organization_id], anchor - asked.ago) for asked in _ASKED]
    states = {row.pk: asked.state for row, asked in zip(rows, _ASKED, strict=True)}
    ended = [row for row in rows if row.ended_at]
    for some in (ended, [row for row in rows if not row.ended_at]):  # those that ended leave the place of the one that is open
        copy_rows(some)
        move(PayoutRequest, [(row.pk, states[row.pk]) for row in some if states[row.pk] != "requested"], _PATHS)
    refused = [_refused_transfer(row) for row in rows if states[row.pk] == "failed"]
    copy_rows(refused)
    move(Transfer, [(row.pk, "failed") for row in refused])


def _payout(asked: Asked, account: ConnectedAccount, at: datetime) -> PayoutRequest:
    is_approved, has_ended = asked.state in _PATHS, asked.state not in ("requested", "on_hold")
    decided = at + timedelta(hours=3)
    return PayoutRequest(
        id=key(at, "payout", asked.currency, asked.amount),
        organization_id=asked.organization_id,
        account=account,
        amount=asked.amount,
        currency=asked.currency,
        source=PayoutRequest.Source.CONSOLE,
        requested_by_id=asked.by.user_id,
        approved_by_id=FINANCE.user_id if is_approved else None,
        approved_at=decided if is_approved else None,
        available_at_approval=asked.amount * 2 if is_approved else None,
        transfer_began_at=decided if asked.state == "failed" else None,
        lacking=asked.amount if asked.state == "failed" else None,
        stripe_account_id=account.stripe_account_id or "" if asked.state == "failed" else "",
        reason=asked.why,
        ended_at=decided if has_ended else None,
        created_at=at,
        updated_at=decided if has_ended or is_approved else at,
    )


def _refused_transfer(payout: PayoutRequest) -> Transfer:
    at = payout.updated_at
    return Transfer(
        id=key(at, "transfer", payout.pk),
        payout_request=payout,
        account=payout.account,
        number=0,
        amount=payout.amount,
        currency=payout.currency,
        stripe_account_id=payout.stripe_account_id,
        failure_reason=payout.reason,
        submitted_at=at,
        created_at=at,
        updated_at=at,
    )
