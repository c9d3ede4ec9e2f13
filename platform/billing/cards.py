"""The card that pays a subscription: its brand, last digits and end, mirrored from Stripe; and the mails before it is no good any more."""

from calendar import monthrange
from datetime import date, datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from audit.actor import Actor
from audit.recording import record
from billing.admin_mail import plans_page, to_admins
from billing.gateway.plans import GatewayCard
from billing.gateway.selection import gateway
from billing.models import BillingAccount
from core import jobs

BY = Actor.system("cards.sync")
NOTICE_DAYS = (0, 7, 30)
_LATEST = timedelta(days=7)  # how long after the last day a missed notice still says something new
_MIRRORED = ["stripe_payment_method_id", "card_brand", "card_last4", "card_expires_on"]


def refresh(*, stripe_customer_id: str, by: Actor) -> BillingAccount | None:
    """Ask Stripe which card pays, and mirror it; None where the customer is not one of ours. Raises what the gateway raises."""
    if not BillingAccount.objects.filter(stripe_customer_id=stripe_customer_id).exists():
        return None
    asked_at = timezone.now()
    answer = gateway().card_of(stripe_customer_id)
    return sync(stripe_customer_id=stripe_customer_id, answer=answer, asked_at=asked_at, by=by)


@transaction.atomic
def sync(*, stripe_customer_id: str, answer: GatewayCard | None, asked_at: datetime, by: Actor) -> BillingAccount:
    """The mirror agrees with Stripe's answer; one to an earlier question than the last changes nothing."""
    account = BillingAccount.objects.select_for_update(of=["self"]).get(stripe_customer_id=stripe_customer_id)
    if account.card_asked_at is not None and account.card_asked_at > asked_at:
        return account
    before, was = account.card, [getattr(account, name) for name in _MIRRORED]
    account.stripe_payment_method_id = answer.id if answer else ""
    account.card_brand, account.card_last4 = (answer.brand, answer.last4) if answer else ("", "")
    account.card_expires_on = last_day(answer) if answer else None
    account.card_asked_at = asked_at
    account.save(update_fields=[*_MIRRORED, "card_asked_at", "updated_at"])
    if was != [getattr(account, name) for name in _MIRRORED]:
        record(account, "billing_account.card_changed", by=by, before={"card": before}, after={"card": account.card})
    return account


def last_day(card: GatewayCard) -> date:
    """A card is good until the end of the month that stands on it."""
    return date(card.exp_year, card.exp_month, monthrange(card.exp_year, card.exp_month)[1])


@jobs.task()
def send_notices() -> None:
    """Tell of every card that pays a subscription and ends within 30 days: at 30, 7 and 0 days, each once, a missed one late.

    Another card, or another end of the same one, begins anew.
    """
    today = timezone.now().date()
    for account in BillingAccount.objects.card_ending(today - _LATEST, today + timedelta(days=NOTICE_DAYS[-1])):
        ends_on: Any = account.card_expires_on
        left = max(0, (ends_on - today).days)
        days = min(days for days in NOTICE_DAYS if left <= days)
        context = {"card": f"{account.card_brand.capitalize()} {account.card_last4}", "ends_on": ends_on, "link": plans_page()}
        notice = f"{account.stripe_payment_method_id}:{ends_on}:{days}"
        to_admins("card_expiring", account.organization, {**context, "is_last": days == 0}, related=account, notice=notice)
