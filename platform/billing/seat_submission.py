"""Carrying the number of seats to Stripe: one change at a time, each under a key of its own, until its answer is in.

Several changes that come together are one call, the last number counts. A change that was sent and lost is sent again under the same
key before any later one, so an answer that comes late cannot undo what followed.
"""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from audit.actor import Actor
from audit.recording import record
from billing import commands, seat_items, seat_standing, subscription_sync
from billing.gateway.base import GatewayBusy, GatewayRefused, GatewayUnknown
from billing.gateway.selection import gateway
from billing.models import SeatAccount, StripeCommand, Subscription
from core import jobs

BY = Actor.system("seats.push")
_LEASE = timedelta(seconds=90)


@dataclass(frozen=True, slots=True)
class Sending:
    row: SeatAccount
    subscription: Subscription
    version: int

    @property
    def key(self) -> str:
        return f"seats-{self.subscription.pk}-{self.version}"


@jobs.task(queue="money", outside=True)
def push(*, organization_id: UUID) -> None:
    """Stripe bills what the account says, once this returns and nobody changed it meanwhile. Repeatable; raises what the gateway raises."""
    while (sending := claim(organization_id=organization_id)) is not None:
        try:
            _send(sending)
        except (GatewayBusy, GatewayUnknown):
            let_go(organization_id=organization_id, given_up=_is_spent(sending))
            raise


def _send(sending: Sending) -> None:
    organization_id, stripe_id = sending.row.organization_id, sending.subscription.stripe_subscription_id
    try:
        command = StripeCommand.objects.filter(key=sending.key).first() or _prepare(sending)
        if command is not None:
            commands.perform(command, lambda given, key: gateway().update_subscription(stripe_id, given, key=key))
        # read anew: what Stripe stored for a key that was sent before is how the subscription was then
        subscription_sync.refresh(stripe_subscription_id=stripe_id, by=BY)
    except GatewayRefused as refusal:
        answered(organization_id=organization_id, version=sending.version, refusal=str(refusal))
        return
    answered(organization_id=organization_id, version=sending.version)


def _prepare(sending: Sending) -> StripeCommand | None:
    """The command for this version; None where Stripe bills that number already."""
    subscription, number = sending.subscription, sending.row.number
    now = seat_items.billed(gateway().retrieve_subscription(subscription.stripe_subscription_id))
    items = seat_items.changed(now, price=seat_items.price_for(subscription), number=number)
    if not items:
        return None
    return commands.prepare(
        operation="subscription.seats",
        key=sending.key,
        parameters={"items": items, "proration_behavior": "create_prorations"},
        subject=subscription,
        organization_id=subscription.organization_id,
    )


def _is_spent(sending: Sending) -> bool:
    command = StripeCommand.objects.filter(key=sending.key).first()
    return command is not None and commands.is_spent(key=sending.key, since=command.sent_at)


@transaction.atomic
def claim(*, organization_id: UUID) -> Sending | None:
    """The change that is to be sent next, this worker's for a while; None where there is none, or another worker has it."""
    row = SeatAccount.objects.select_for_update(of=["self"]).get(organization_id=organization_id)
    subscription, now = seat_standing.live_subscription(organization_id), timezone.now()
    if row.leased_until is not None and row.leased_until > now:
        return None
    if row.sending_version is None and row.version == row.pushed_version:
        return None
    if subscription is None:  # there is nothing to bill; the next subscription begins with its own number
        row.pushed_version, row.sending_version, row.leased_until = row.version, None, None
        row.save(update_fields=["pushed_version", "sending_version", "leased_until", "updated_at"])
        return None
    row.sending_version = row.sending_version or row.version
    row.leased_until = now + _LEASE
    row.save(update_fields=["sending_version", "leased_until", "updated_at"])
    return Sending(row, subscription, row.sending_version)


@transaction.atomic
def let_go(*, organization_id: UUID, given_up: bool) -> None:
    """The answer was lost: the same key again later; given_up: a new one, where Stripe would only repeat its error for it."""
    row = SeatAccount.objects.select_for_update(of=["self"]).get(organization_id=organization_id)
    row.leased_until = None
    if given_up:
        row.version, row.sending_version = row.version + 1, None
    row.save(update_fields=["version", "sending_version", "leased_until", "updated_at"])


@transaction.atomic
def answered(*, organization_id: UUID, version: int, refusal: str = "") -> None:
    """Stripe took the number of this version, or refused it for good. What changed meanwhile is sent next."""
    row = SeatAccount.objects.select_for_update(of=["self"]).get(organization_id=organization_id)
    if row.sending_version != version:
        return
    row.pushed_version, row.sending_version, row.leased_until, row.failure_reason = version, None, None, refusal[:500]
    row.save(update_fields=["pushed_version", "sending_version", "leased_until", "failure_reason", "updated_at"])
    record(row, "seats.refused" if refusal else "seats.pushed", by=BY, after={"version": version}, reason=refusal[:500])
