"""The organization's account at Stripe: opened here, filled in on Stripe's pages, mirrored whenever Stripe says that it changed."""

from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from audit.actor import Actor
from audit.recording import record
from billing import commands
from billing.gateway.base import GatewayAccount, GatewayBusy, GatewayRefused, GatewayUnknown
from billing.gateway.selection import gateway
from billing.models import ConnectedAccount
from core.errors import DomainError, InvalidInput, NotFound
from core.outside_calls import forbid_open_transaction
from core.public_ids import uuid7
from ledger import balances
from ledger.chart import connected_balance
from organizations.models import Organization
from organizations.permissions import Permission, require

State = ConnectedAccount.State
_MIRRORED = (
    "country",
    "default_currency",
    "currencies",
    "charges_enabled",
    "transfers_enabled",
    "payouts_enabled",
    "details_submitted",
    "requirements",
    "disabled_reason",
)
# What an organization or finance has to hear of; the rest of the mirror is detail.
_TELLING = ("transfers_enabled", "payouts_enabled", "details_submitted", "currencies", "disabled_reason")


class OnboardingRefused(DomainError):
    code, http_status = "ONBOARDING_REFUSED", 409

    def __init__(self, why: str) -> None:
        super().__init__(f"Stripe does not open this page now: {why}")


class MoneyLeftThere(DomainError):
    code, http_status = "MONEY_LEFT_IN_ACCOUNT", 409

    def __init__(self) -> None:
        super().__init__("The books still hold money in the account that was taken away; ask finance to settle that first.")


def usable_in(organization_id: UUID, currency: str) -> bool:
    """Whether what the organization earns in this currency can be paid out to it."""
    account = ConnectedAccount.objects.filter(organization_id=organization_id).first()
    return account is not None and account.is_usable_in(currency)


def locked(organization_id: UUID, by: Actor) -> ConnectedAccount | None:
    """The organization's account with its row locked, None where there is none or the actor cannot see it. Its payouts queue here."""
    rows = ConnectedAccount.objects.visible_to(by).select_for_update(of=["self"]).select_related("organization")
    return rows.filter(organization_id=organization_id).first()


@transaction.atomic
def begin(*, organization_id: UUID, by: Actor) -> ConnectedAccount:
    """The organization's account, made if there is none yet or if the last one was taken away; Stripe knows nothing of it on return.

    Raises NotFound, PermissionRefused, MoneyLeftThere.
    """
    organization = Organization.objects.visible_to(by).select_for_update(of=["self"]).filter(pk=organization_id).first()
    if organization is None:
        raise NotFound("organization")
    require(by, Permission.CONNECT_MANAGE, organization_id)
    account = ConnectedAccount.objects.select_for_update(of=["self"]).filter(organization=organization).first()
    if account is None:
        account = ConnectedAccount.objects.create(organization=organization, country=organization.country)
    elif account.state == State.DEAUTHORIZED:
        if any(balances.balances(connected_balance(organization_id)).values()):
            raise MoneyLeftThere
        account.reopen()
        account.country = organization.country
        account.save()
    else:
        return account
    record(account, "account.begun", by=by, organization_id=organization_id, after={"country": account.country, "number": account.number})
    return account


def onboarding_url(*, organization_id: UUID, return_url: str, refresh_url: str, by: Actor) -> str | None:
    """The address of Stripe's pages where the organization fills in what Stripe asks; None where Stripe did not answer in time.

    Called by a surface with no transaction open, since the person waits for it. Repeatable: the account is made once, the link is new
    each time (it opens once and for minutes). Both addresses are the surface's own. Raises what `begin` raises, and OnboardingRefused.
    """
    forbid_open_transaction()
    account = begin(organization_id=organization_id, by=by)
    try:
        if account.state == State.OPENING:
            account = _open(account, by)
        parameters = {"account": account.stripe_account_id, "type": "account_onboarding"}
        addresses = {"return_url": return_url, "refresh_url": refresh_url}
        return gateway(patient=False).create_account_link({**parameters, **addresses}, key=f"account-link-{uuid7()}")
    except (GatewayBusy, GatewayUnknown):
        return None
    except GatewayRefused as refusal:
        raise OnboardingRefused(str(refusal)) from refusal


def _open(account: ConnectedAccount, by: Actor) -> ConnectedAccount:
    """Have Stripe make the account. A lost answer is asked for under the same key; past a day Stripe is asked what it made."""
    account = started(account_id=account.pk, at=timezone.now())
    parameters = _parameters(account)
    command = commands.prepare(
        operation="account.create", key=account.stripe_key, parameters=parameters, subject=account, organization_id=account.organization_id
    )
    since = account.opening_since or timezone.now()
    at = reading_begins()
    if commands.is_spent(key=command.key, since=since):
        made = [one for one in gateway(patient=False).accounts_since(since) if one.metadata.get("account_id") == str(account.pk)]
        if made:
            return opened(account_id=account.pk, answer=made[0], at=at, by=by)
        return _open(renewed(account_id=account.pk, given_up=account.number), by)
    answer = commands.perform(command, lambda given, key: gateway(patient=False).create_account(given, key=key))
    return opened(account_id=account.pk, answer=answer, at=at, by=by)


def _parameters(account: ConnectedAccount) -> dict[str, Any]:
    """The platform answers for fees and losses, Stripe asks the organization for its papers; paid out only when a payout is made."""
    return {
        "country": account.country,
        "controller": {
            "fees": {"payer": "application"},
            "losses": {"payments": "application"},
            "stripe_dashboard": {"type": "express"},
        },
        "capabilities": {"transfers": {"requested": True}},
        "settings": {"payouts": {"schedule": {"interval": "manual"}}},
        "business_profile": {"name": account.organization.name},
        "metadata": {"account_id": str(account.pk), "organization_id": str(account.organization_id)},
    }


def _row(account_id: UUID) -> ConnectedAccount:
    return ConnectedAccount.objects.select_for_update(of=["self"]).select_related("organization").get(pk=account_id)


@transaction.atomic
def started(*, account_id: UUID, at: datetime) -> ConnectedAccount:
    """Remember since when Stripe may have made it; the first call's moment counts."""
    account = _row(account_id)
    if account.opening_since is None:
        account.opening_since = at
        account.save(update_fields=["opening_since", "updated_at"])
    return account


@transaction.atomic
def renewed(*, account_id: UUID, given_up: int) -> ConnectedAccount:
    """A new key, after a look-up found nothing at Stripe. Two requests at once raise it once."""
    account = _row(account_id)
    if account.number == given_up:
        account.number, account.opening_since = account.number + 1, None
        account.save(update_fields=["number", "opening_since", "updated_at"])
    return account


@transaction.atomic
def opened(*, account_id: UUID, answer: GatewayAccount, at: datetime, by: Actor) -> ConnectedAccount:
    """Stripe made the account: keep its id and what it says. at: when it was asked. Repeatable."""
    account = _row(account_id)
    if account.state == State.OPENING:
        account.open(stripe_account_id=answer.id)
        account.save(update_fields=["state", "stripe_account_id", "updated_at"])
        record(account, "account.opened", by=by, after={"stripe_account_id": answer.id})
    return sync(account_id=account_id, answer=answer, at=at, by=by)


@transaction.atomic
def sync(*, account_id: UUID, answer: GatewayAccount, at: datetime, by: Actor) -> ConnectedAccount:
    """Bring our mirror in line with Stripe's account; a word about another account, or one that was taken away, changes nothing.

    at: when Stripe was asked, by `reading_begins`. Of two readings that cross, the one that began later counts: it saw whatever the other
    could have seen, or an event about it is still to come and is read after both.
    """
    account = _row(account_id)
    if account.state != State.OPEN or account.stripe_account_id != answer.id:
        return account
    if account.synced_at is not None and at < account.synced_at:
        return account
    before = {name: getattr(account, name) for name in _MIRRORED}
    values = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(answer).items()}
    for name in _MIRRORED:
        setattr(account, name, values[name])
    account.synced_at = at
    account.save(update_fields=[*_MIRRORED, "synced_at", "updated_at"])
    changed = [name for name in _TELLING if before[name] != getattr(account, name)]
    if changed:
        after = {name: getattr(account, name) for name in changed}
        record(account, "account.changed", by=by, before={name: before[name] for name in changed}, after=after)
    return account


def refresh(*, account_id: UUID, by: Actor, patient: bool = True) -> ConnectedAccount:
    """Read the account at Stripe and mirror it. Raises what the gateway raises."""
    account = ConnectedAccount.objects.get(pk=account_id)
    if account.stripe_account_id is None or account.state != State.OPEN:
        return account
    at = reading_begins()
    answer = gateway(patient=patient).retrieve_account(account.stripe_account_id)
    return sync(account_id=account_id, answer=answer, at=at, by=by)


def reading_begins() -> datetime:
    """The moment by the database's clock, which all who read Stripe share."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        moment: datetime = cursor.fetchone()[0]
    return moment


@transaction.atomic
def deauthorize(*, stripe_account_id: str, at: datetime, by: Actor) -> ConnectedAccount | None:
    """The organization took its account away from the platform; None where it is not one of ours. Repeatable."""
    account = ConnectedAccount.objects.select_for_update(of=["self"]).filter(stripe_account_id=stripe_account_id).first()
    if account is not None and account.state == State.OPEN:
        account.deauthorize(at=at)
        account.save()
        record(account, "account.deauthorized", by=by, after={"stripe_account_id": stripe_account_id})
    return account


@transaction.atomic
def set_schedule(*, account_id: UUID, payout_schedule: str, by: Actor) -> ConnectedAccount:
    """When payouts are asked for without anybody asking. Raises NotFound, PermissionRefused, StepUpRequired, InvalidInput."""
    account = ConnectedAccount.objects.visible_to(by).select_for_update(of=["self"]).filter(pk=account_id).first()
    if account is None:
        raise NotFound("account")
    require(by, Permission.PAYOUT_REQUEST, account.organization_id)
    if payout_schedule not in ConnectedAccount.Schedule.values:
        raise InvalidInput(f"Choose one of: {', '.join(ConnectedAccount.Schedule.values)}.", field="payout_schedule")
    before = account.payout_schedule
    account.payout_schedule = payout_schedule
    account.save(update_fields=["payout_schedule", "updated_at"])
    record(account, "account.schedule_changed", by=by, before={"payout_schedule": before}, after={"payout_schedule": payout_schedule})
    return account
