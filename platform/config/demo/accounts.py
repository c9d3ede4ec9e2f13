"""Where the demo's organizations are paid out to: one account each, usable in every currency that it sells in."""

from datetime import datetime
from uuid import UUID

from billing.models import ConnectedAccount
from config.demo import catalogue
from config.demo.copying import copy_rows
from config.demo.ids import key
from config.demo.moving import move
from config.demo.people import EPOCH

_NAMES = {catalogue.RIVERSIDE: "riverside", catalogue.NORDLICHT: "nordlicht", catalogue.OSEI: "osei"}
_COUNTRIES = {catalogue.RIVERSIDE: "US", catalogue.NORDLICHT: "DE", catalogue.OSEI: "US"}


def stripe_id(organization_id: UUID) -> str:
    return f"acct_demo{_NAMES[organization_id]}"


def currencies(organization_id: UUID) -> list[str]:
    return sorted({offer.currency for offer in catalogue.OFFERS if offer.organization_id == organization_id and offer.price})


def write(anchor: datetime) -> None:
    """Open accounts, as Stripe's pages would have left them."""
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
            transfers_enabled=True,
            payouts_enabled=True,
            details_submitted=True,
            opening_since=since,
            synced_at=anchor,
            created_at=since,
            updated_at=since,
        )
        for organization_id, name in _NAMES.items()
    ]
    copy_rows(rows)
    move(ConnectedAccount, [(row.pk, str(ConnectedAccount.State.OPEN)) for row in rows])
