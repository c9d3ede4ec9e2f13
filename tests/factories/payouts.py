"""Earnings and payouts, made by the operations themselves."""

from datetime import datetime
from typing import Any

from django.utils import timezone

from audit.actor import Actor
from billing import payout_approval, payout_requests, stripe_balances
from billing.gateway.base import Held
from billing.models import PayoutRequest
from organizations.models import Organization
from tests.factories.accounts import usable_account
from tests.factories.billing import finance, paid_payment
from tests.factories.organizations import OrganizationFactory

PLENTY = 10**12


def read_balances(currency: str = "USD", available: int = PLENTY, *, account: Any = None, at: datetime | None = None) -> None:
    """What Stripe would have told a task that asked what the platform (or the account) holds."""
    stripe_balances.store(account_id=account and account.pk, found={currency: Held(available, 0)}, at=at or timezone.now())


def earning_organization(*, amount: int = 50_000, currency: str = "USD", **values: Any) -> Organization:
    """An organization with a usable account that earned this much, all of it released."""
    organization = OrganizationFactory(**values)
    usable_account(organization)
    paid_payment(amount=amount, currency=currency, organization=organization)
    read_balances(currency)
    return organization


def requested_payout(
    organization: Organization | None = None, amount: int | None = None, *, currency: str = "USD", by: Actor | None = None, **values: Any
) -> PayoutRequest:
    """A payout that somebody asked for; all that is available unless an amount is named."""
    organization = organization or earning_organization(currency=currency)
    given: dict[str, Any] = {"source": "console", **values}
    return payout_requests.request(organization_id=organization.pk, currency=currency, amount=amount, by=by or finance(), **given)


def approved_payout(organization: Organization | None = None, amount: int | None = None, **values: Any) -> PayoutRequest:
    payout = requested_payout(organization, amount, **values)
    return payout_approval.approve(payout_request_id=payout.pk, by=finance())


def now(payout: PayoutRequest) -> PayoutRequest:
    """The row as it is now."""
    return PayoutRequest.objects.get(pk=payout.pk)
