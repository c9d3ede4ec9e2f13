"""Subscribing on Stripe's pages: Checkout for a new subscription, the portal for the card and the end of one.

Both are asked for by a surface with no transaction open, since a person waits for the address. Nothing is subscribed on return: what
Stripe says afterwards decides (billing.subscription_sync).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from audit.actor import Actor
from audit.recording import record
from billing import access, commands, plan_catalogue, seat_items, seat_standing, subscription_sync
from billing.gateway.base import GatewayBusy, GatewayRefused, GatewayUnknown
from billing.gateway.selection import gateway
from billing.models import BillingAccount, Plan, PlanAccess, PlanPrice, Subscription
from core.errors import DomainError, InvalidInput, NotFound
from core.outside_calls import forbid_open_transaction
from core.public_ids import uuid7
from organizations.models import Organization
from organizations.permissions import Permission, require

# Stripe takes a trial's end in Checkout only when it is two days away; an hour is left for the person to get there.
_SHORTEST_TRIAL = timedelta(hours=49)


class AlreadySubscribed(DomainError):
    code, http_status = "ALREADY_SUBSCRIBED", 409

    def __init__(self) -> None:
        super().__init__("The organization has a subscription; change that one instead.")


class NotSubscribed(DomainError):
    code, http_status = "NOT_SUBSCRIBED", 409

    def __init__(self) -> None:
        super().__init__("The organization has no subscription at Stripe yet.")


class SubscribingRefused(DomainError):
    code, http_status = "SUBSCRIBING_REFUSED", 409

    def __init__(self, why: str) -> None:
        super().__init__(f"Stripe does not open this page now: {why}")


@dataclass(frozen=True, slots=True)
class Begun:
    """trial_ends_at: the end that the trial had before; the card is charged then, not now. seats: further ones, used already."""

    account: BillingAccount
    price: PlanPrice
    trial_ends_at: datetime | None
    seat_price: PlanPrice | None
    seats: int


def checkout_url(*, organization_id: UUID, plan: str, interval: str, return_url: str, by: Actor) -> str | None:
    """The address of Stripe's page where the plan is subscribed to; None where Stripe did not answer in time. return_url: our own.

    Raises NotFound, PermissionRefused, InvalidInput, PlanNotForSale, AlreadySubscribed, SubscribingRefused.
    """
    forbid_open_transaction()
    begun = begin(organization_id=organization_id, plan=plan, interval=interval, by=by)
    try:
        customer = _customer(begun.account, by)
        _one_page_alone(customer, by)
        asked = gateway(patient=False).create_checkout_session(_checkout(begun, customer, return_url), key=f"subscribe-{uuid7()}")
    except (GatewayBusy, GatewayUnknown):
        return None
    except GatewayRefused as refusal:
        raise SubscribingRefused(str(refusal)) from refusal
    return asked.url


def portal_url(*, organization_id: UUID, return_url: str, by: Actor) -> str | None:
    """The address of Stripe's page for the card, the invoices and the end of the subscription; None as above.

    Raises NotFound, PermissionRefused, NotSubscribed, SubscribingRefused.
    """
    forbid_open_transaction()
    account = BillingAccount.objects.visible_to(by).filter(organization_id=organization_id).first()
    if account is None:
        _seen(organization_id, by)
        raise NotSubscribed
    require(by, Permission.SUBSCRIPTION_MANAGE, organization_id)
    if account.stripe_customer_id is None:
        raise NotSubscribed
    try:
        given = {"customer": account.stripe_customer_id, "return_url": return_url}
        return gateway(patient=False).create_portal_session(given, key=f"portal-{uuid7()}")
    except (GatewayBusy, GatewayUnknown):
        return None
    except GatewayRefused as refusal:
        raise SubscribingRefused(str(refusal)) from refusal


@transaction.atomic
def begin(*, organization_id: UUID, plan: str, interval: str, by: Actor) -> Begun:
    """The organization's billing account, made if there is none, and what it would pay. Raises as `checkout_url`."""
    organization = _seen(organization_id, by)
    wanted, price = plan_catalogue.for_sale(code=plan, interval=interval)
    if wanted.audience != organization.kind:
        kind = organization.get_kind_display().lower()
        raise InvalidInput(f"{wanted.name} is not for a {kind} workspace; choose another plan.", field="plan")
    if price.stripe_price_id is None:
        raise plan_catalogue.PlanNotForSale(f"{wanted.name} is being set up; try again in some minutes.")
    if Subscription.objects.live().filter(organization=organization).exists():
        raise AlreadySubscribed
    account, is_new = BillingAccount.objects.get_or_create(organization=organization)
    if is_new:
        record(account, "billing_account.opened", by=by)
    row, seat_price = access.locked(organization_id), seat_items.current_price(price)
    seats = seat_standing.needed(organization_id, wanted) if seat_price is not None else 0
    return Begun(account, price, _trial_left(row, wanted), seat_price, seats)


def _seen(organization_id: UUID, by: Actor) -> Organization:
    organization = Organization.objects.visible_to(by).filter(pk=organization_id).first()
    if organization is None:
        raise NotFound("organization")
    require(by, Permission.SUBSCRIPTION_MANAGE, organization_id)
    return organization


def _trial_left(row: PlanAccess, plan: Plan) -> datetime | None:
    """The end of the trial of this very plan, where enough of it is left for Stripe to keep it."""
    is_kept = row.state == PlanAccess.State.TRIAL and row.plan_id == plan.pk
    ends_at = row.trial_ends_at if is_kept else None
    return ends_at if ends_at is not None and ends_at - timezone.now() > _SHORTEST_TRIAL else None


def _customer(account: BillingAccount, by: Actor) -> str:
    """Stripe's id of the customer, made under a stored key; one whose answer was lost for a day is made anew, and has nothing."""
    if account.stripe_customer_id is not None:
        return account.stripe_customer_id
    organization = account.organization
    parameters = {
        "name": organization.legal_name or organization.name,
        "metadata": {"billing_account_id": str(account.pk), "organization_id": str(organization.pk)},
    }
    command = commands.prepare(
        operation="customer.create",
        key=f"customer-{account.pk}-{account.number}",
        parameters=parameters,
        subject=account,
        organization_id=organization.pk,
    )
    if commands.is_spent(key=command.key, since=command.sent_at):
        return _customer(renewed(account_id=account.pk, given_up=account.number), by)
    answer = commands.perform(command, lambda given, key: gateway(patient=False).create_customer(given, key=key))
    return opened(account_id=account.pk, stripe_customer_id=answer.id, by=by)


@transaction.atomic
def renewed(*, account_id: UUID, given_up: int) -> BillingAccount:
    account = BillingAccount.objects.select_for_update(of=["self"]).select_related("organization").get(pk=account_id)
    if account.number == given_up:
        account.number += 1
        account.save(update_fields=["number", "updated_at"])
    return account


@transaction.atomic
def opened(*, account_id: UUID, stripe_customer_id: str, by: Actor) -> str:
    """Keep the customer's id; of two that were made at once the first counts."""
    account = BillingAccount.objects.select_for_update(of=["self"]).get(pk=account_id)
    if account.stripe_customer_id is None:
        account.stripe_customer_id = stripe_customer_id
        account.save(update_fields=["stripe_customer_id", "updated_at"])
        record(account, "billing_account.customer_made", by=by, after={"stripe_customer_id": stripe_customer_id})
    return account.stripe_customer_id or stripe_customer_id


def _one_page_alone(customer: str, by: Actor) -> None:
    """Nobody pays twice: an earlier page is closed, and what was subscribed to on one is known here. Raises AlreadySubscribed."""
    stripe = gateway(patient=False)
    stripe.expire_open_pages(customer)
    asked_at = timezone.now()
    for answer in stripe.subscriptions_of(customer):
        try:
            found = subscription_sync.sync(answer=answer, asked_at=asked_at, by=by)
        except subscription_sync.UnknownPrice as unknown:
            raise AlreadySubscribed from unknown  # to something made by hand at Stripe, which is paid for all the same
        if found is not None and found.is_live:
            raise AlreadySubscribed


def _checkout(begun: Begun, customer: str, return_url: str) -> dict[str, Any]:
    data: dict[str, Any] = {"metadata": {"billing_account_id": str(begun.account.pk)}}
    if begun.trial_ends_at is not None:
        data["trial_end"] = int(begun.trial_ends_at.timestamp())
    return {
        "mode": "subscription",
        "customer": customer,
        "line_items": _lines(begun),
        "subscription_data": data,
        "success_url": return_url,
        "cancel_url": return_url,
        "metadata": {"billing_account_id": str(begun.account.pk)},
    }


def _lines(begun: Begun) -> list[dict[str, Any]]:
    lines = [{"price": begun.price.stripe_price_id, "quantity": 1}]
    if begun.seats and begun.seat_price is not None:
        lines.append({"price": begun.seat_price.stripe_price_id, "quantity": begun.seats})
    return lines
