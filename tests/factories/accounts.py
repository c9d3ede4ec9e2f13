"""Accounts at Stripe as the operations make them; Stripe itself need not know them."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.utils import timezone

from billing.gateway.base import GatewayAccount
from billing.models import ConnectedAccount
from organizations.models import Organization


def account_answer(organization: Organization, currencies: Sequence[str] | None = None, **values: Any) -> GatewayAccount:
    """What Stripe would say about an account that lacks nothing."""
    given = {
        "id": f"acct_{organization.pk.hex}",
        "country": organization.country,
        "default_currency": "USD",
        "currencies": tuple(settings.SETTLEMENT_CURRENCIES if currencies is None else currencies),
        "charges_enabled": True,
        "transfers_enabled": True,
        "payouts_enabled": True,
        "details_submitted": True,
        "requirements": {},
    }
    return GatewayAccount(**{**given, **values})


def usable_account(organization: Organization, currencies: Sequence[str] | None = None, **values: Any) -> ConnectedAccount:
    """The organization's account, open and usable in these currencies (all that are paid out unless named); the audit log knows nothing."""
    given = asdict(account_answer(organization, currencies, **values))
    mirrored = {name: given[name] for name in given if name not in ("id", "metadata", "currencies")}
    mirrored |= {"currencies": list(given["currencies"]), "stripe_account_id": given["id"], "synced_at": timezone.now()}
    account, _ = ConnectedAccount.objects.update_or_create(organization=organization, defaults=mirrored)
    ConnectedAccount.objects.filter(pk=account.pk).update(state=ConnectedAccount.State.OPEN)
    return ConnectedAccount.objects.get(pk=account.pk)
