"""One set of objects for the permission matrix, the people who try to reach them, and what the hand-written table gives each of them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Model
from django.test import Client
from django.utils import timezone
from django_q.models import OrmQ, Schedule

from accounts.models import User
from admin_ext.console import bulk_runs
from audit.actor import Actor
from audit.models import AuditEntry
from billing import payout_approval, payout_submission, payout_sync, refund_sync, stripe_balances
from billing.gateway.base import Held
from billing.models import (
    ChargeFee,
    ConnectedAccount,
    Dispute,
    DisputeResponse,
    FeeSchedule,
    Payment,
    PayoutStatement,
    Plan,
    PlanAccess,
    Refund,
    StripeCommand,
    TaxRate,
)
from entitlements.models import Allowance
from events.models import Event, Session
from ledger.models import LedgerEntry, LedgerTransaction
from notifications.models import Message
from organizations.models import Membership, Organization
from tests.admin_ext import making
from tests.factories import reconciliation
from tests.factories.accounts import usable_account
from tests.factories.billing import finance, intent_for, paid_payment, sync
from tests.factories.payouts import PLENTY, approved_payout, now, requested_payout
from tests.factories.people import actor
from tests.factories.sign_in import fail_to_sign_in
from tests.organizations.expected import ROLES, STAFF, TABLE

RELATIONS = ("own", "same organization", "same organization, narrowed", "other organization", "ended membership")
_NARROWED = RELATIONS[2]  # says nothing new of roles that the table gives nothing of their own
SUBJECTS = [
    *((role, relation) for role in ROLES for relation in RELATIONS if relation != _NARROWED or role in ("admin", "organizer")),
    *((group, "staff") for group in STAFF),
]
IDS = [f"{who}, {relation}" for who, relation in SUBJECTS]
# What a refusal may write all the same: the session, its message, the shared cache. Business tables never.
_BOOKKEEPING = {"django_session", "shared_cache", "public_api_window", "usersessions_usersession"}


@dataclass(frozen=True)
class World:
    """rows: "app.model" or "app.model:button" -> the object that a screen or a button is tried on, all of `north` and its host."""

    north: Organization
    host: User
    colleague: User
    outsider: User
    former: User
    staff: dict[str, User]
    rows: dict[str, Model]
    pages: dict[tuple[str, str, str], Any] = field(default_factory=dict)

    def row(self, model: type[Model], button: str = "") -> Model:
        label = model._meta.label_lower
        found = self.rows.get(f"{label}:{button}") or self.rows.get(label)
        assert found is not None, f"Add an object of {label} to the matrix's world, so that its screen and its buttons are tried."
        return found

    def without_plan(self) -> None:
        """The organization is on the free plan, as nobody has chosen one yet."""
        PlanAccess.objects.filter(organization=self.north).update(organization=making.organization("Spare plan"))

    def without_account(self) -> None:
        """The organization's account for payouts becomes another one's."""
        ConnectedAccount.objects.filter(organization=self.north).update(organization=making.organization("Spare"))

    def with_logo(self) -> None:
        """The organization has a logo."""
        Organization.objects.filter(pk=self.north.pk).update(logo="logos/none.png")

    def locked_out(self) -> None:
        """The host cannot sign in for a while."""
        fail_to_sign_in(self.host)

    def look(self, subject: "Subject") -> Callable[[Client, str], Any]:
        """GET as the subject; a page that was read in an earlier test is not read again, since every test ends where it began."""

        def get(client: Client, address: str) -> Any:
            key = (subject.who, subject.relation, address)
            if key not in self.pages:
                self.pages[key] = client.get(address)
            return self.pages[key]

        return get


@dataclass(frozen=True)
class Subject:
    """Somebody with one role or staff group, and how they stand to the world's objects."""

    person: User
    who: str
    relation: str

    @property
    def is_staff(self) -> bool:
        return self.relation == "staff"

    def may(self, permission: str) -> bool:
        """What the table says of the role or the group, whatever the object is."""
        return cell(self.who, permission) != "no"

    def reaches(self, permission: str, *, whole: bool = False) -> bool:
        """Whether the permission reaches the world's objects. whole: the object belongs to the organization, to no one member."""
        if self.relation in ("other organization", "ended membership"):
            return False
        if self.relation == "same organization, narrowed" and not whole:
            return cell(self.who, permission) == "yes"
        return self.may(permission)


def cell(who: str, permission: str) -> str:
    return dict(zip(ROLES + STAFF, TABLE[permission].split(), strict=True))[who]


def subject(world: World, who: str, relation: str) -> Subject:
    """The person of the world who now has the role, standing so to its objects; in the caller's transaction."""
    if relation == "staff":
        return Subject(world.staff[who], who, relation)
    person = {"own": world.host, "other organization": world.outsider, "ended membership": world.former}.get(relation, world.colleague)
    Membership.objects.filter(user=person).update(role=who)
    if relation == "same organization, narrowed":
        Organization.objects.filter(pk=world.north.pk).update(organizer_scope="own")
    return Subject(person, who, relation)


def build() -> World:
    north, rival = making.organization("North Clinic"), making.organization("Rival Academy")
    host, colleague, outsider, former = (making.user(name) for name in ("host", "colleague", "outsider", "former"))
    making.member(north, host)
    making.member(north, colleague)
    making.member(rival, outsider)
    making.member(north, former, ended_at=timezone.now())
    making.member(rival, former)
    for each in (north, rival):
        making.member(each, making.user(f"keeper-{each.slug}"))  # the others take on every role, and somebody has to be admin
    making.user("heir")
    staff = {group: making.user(group, groups=(group,)) for group in STAFF}
    usable_account(north)
    usable_account(rival)
    rows = {
        **_of_the_organization(north, host),
        **_people(north, host),
        **_of_payouts(north),
        **_of_the_platform(host),
        **_of_reconciliation(north),
    }
    return World(north, host, colleague, outsider, former, staff, rows)


def _of_the_organization(north: Organization, host: User) -> dict[str, Model]:
    asker = making.user("asker", groups=("finance",))
    starts = timezone.now().replace(second=0, microsecond=0) + timedelta(days=20)  # a form shows minutes
    event = making.event(north, host, starts_at=starts, venue="Hall 1", online_url="https://meet.example.org/1", country="US")
    draft = making.event(north, host, "Draft", published=False, venue="Hall 1", online_url="https://meet.example.org/2", country="US")
    paid, sold = making.payment(north, for_event=event), making.payment(north, for_event=event)
    large, other = making.payment(north, amount=60_000, for_event=event), making.payment(north, for_event=event)
    waiting, failed = making.refund(large, by=actor(asker), amount=60_000), making.refund(other, by=actor(asker))
    refund_sync.fail(refund_id=failed.pk, attempt=1, why="declined", at=timezone.now(), by=Actor.system("tests"))
    disputed = making.payment(north, for_event=event)
    place = making.registration(event, payment=sold)
    run = bulk_runs.freeze(
        kind="payment.refund", rows=Payment.objects.filter(pk=paid.pk), as_staff=False, by=actor(host, organization=north)
    )
    unsold = making.event(north, host, "Unsold", venue="Hall 1", online_url="https://meet.example.org/3", country="US")
    return {
        "organizations.organization": north,
        "entitlements.allowance": Allowance.objects.get(grant__organization_id=north.pk, resource="events"),
        "billing.planaccess": making.trial(north),
        "entitlements.usagedrift": making.drift(north),
        "events.event": event,
        "events.event:publish": draft,
        "events.event:unpublish": unsold,
        "events.session": event.sessions.get(),
        "events.session:remove_session": _second_session(unsold),
        "registrations.registration": place,
        "registrations.registration:cancel": making.registration(event),
        "billing.payment": paid,
        "billing.payment:retry_link": _failed(event),
        "billing.checkoutsession": making.checkout_session(making.payment(north, paid=False, for_event=event)),
        "billing.refund": waiting,
        "billing.refund:retry": Refund.objects.get(pk=failed.pk),
        "billing.dispute": making.dispute(disputed),
        "billing.dispute:submit": making.dispute(making.payment(north, for_event=event), evidence={"uncategorized_text": "Sat it"}),
        "billing.dispute:retry": _refused_answer(making.dispute(making.payment(north, for_event=event))),
        "billing.document": making.document(sold),
        "admin_ext.bulkrun": run,
        "audit.auditentry": AuditEntry.objects.about(waiting).latest("id"),
        **_codes(north, host, event),
    }


def _codes(north: Organization, host: User, event: Event) -> dict[str, Model]:
    return {
        "promo_codes.promocode": making.promo_code(north, host, "SPRING"),
        "promo_codes.promocode:resume": making.paused_code(north, host),
        "promo_codes.redemption": making.redemption(making.promo_code(north, host, "USED"), making.registration(event)),
    }


def _people(north: Organization, host: User) -> dict[str, Model]:
    return {
        "organizations.membership": Membership.objects.get(organization=north, user=host),
        "organizations.adminoffer": making.admin_offer(north, host, making.user("otto")),
        "organizations.actinggrant": making.acting_grant(north, making.user("sol", groups=("support",))),
        "organizations.membership:offer_admin": making.member(north, making.user("orla"), "organizer"),
        "organizations.membership:change_role": making.member(north, making.user("olga"), "organizer"),
        "organizations.membership:remove": making.member(north, making.user("ines"), "instructor"),
        "organizations.invitation": making.invitation(north, host, "teacher@example.org", role="instructor"),
    }


def _refused_answer(dispute: Dispute) -> Dispute:
    """The dispute, with an answer that Stripe refused."""
    answer = DisputeResponse.objects.create(dispute=dispute, kind="accept")
    answer.begin(at=timezone.now())
    answer.save()
    answer.fail(at=timezone.now(), why="Stripe said no.")
    answer.save()
    return dispute


def _failed(event: Event) -> Payment:
    """A payment whose card was refused, its place still held."""
    payment = making.payment(event.organization, paid=False, for_event=event)
    making.registration(event, payment=payment, confirmed=False)
    refused = intent_for(payment, status="requires_payment_method", error="The card was declined.")
    return sync(payment, refused)


def _second_session(event: Event) -> Session:
    first = event.sessions.get()
    return Session.objects.create(event=event, title="Part two", starts_at=first.ends_at, ends_at=event.ends_at)


def _of_payouts(north: Organization) -> dict[str, Model]:
    """One open payout a currency is all that an account may have; the failed one is in the currency that can still be asked for."""
    for currency in ("USD", "EUR", "GBP", "KWD"):
        paid_payment(amount=200_000, currency=currency, organization=north)
    held_there = dict.fromkeys(("USD", "EUR", "GBP", "KWD"), Held(PLENTY, 0))
    stripe_balances.store(account_id=None, found=held_there, at=timezone.now())
    failed, held = approved_payout(north, 20_000), approved_payout(north, 20_000, currency="GBP")
    payout_submission.begin(payout_request_id=failed.pk, at=timezone.now())
    payout_sync.fail(payout_request_id=failed.pk, attempt=1, why="declined", at=timezone.now(), by=Actor.system("tests"))
    payout_approval.hold(payout_request_id=held.pk, why="Looks wrong", by=finance())
    waiting = requested_payout(north, 20_000, currency="EUR")
    sums = {**dict.fromkeys(("number", "opening", "movements", "closing", "residual"), 0), "period_to": timezone.now()}
    PayoutStatement.objects.create(payout_request=waiting, organization_id=north.pk, currency="EUR", **sums)
    return {
        "billing.connectedaccount": waiting.account,
        "billing.payoutrequest": waiting,
        "billing.payoutrequest:hold": approved_payout(north, 20_000, currency="KWD"),
        "billing.payoutrequest:release": held,
        "billing.payoutrequest:retry": now(failed),
    }


def _of_the_platform(host: User) -> dict[str, Model]:
    key = {"cron": "0 0 1 1 *", "next_run": timezone.now() + timedelta(days=9)}
    message = Message.objects.create(kind="account_notice", to="zoe@example.org", subject="News", text="News", html="News")
    message.fail(error="The address does not exist.")
    message.save()
    return {
        "accounts.user": host,
        "billing.inboundevent": making.inbound_event(dead=True),
        "billing.stripecommand": StripeCommand.objects.create(
            key="refund-1-1", operation="create_refund", subject_id=host.pk, parameters={}
        ),
        "billing.feeschedule": FeeSchedule.objects.create(currency="USD", service_basis_points=250),
        "billing.taxrate": TaxRate.objects.create(name="VAT", jurisdiction="DE", basis_points=1900, starts_on="2026-01-01"),
        "billing.plan": Plan.objects.create(code="solo", name="Solo", audience="personal"),
        "core.job": making.dead_job(),
        "django_q.schedule": Schedule.objects.create(name="matrix", func="core.jobs.sweep", schedule_type=Schedule.CRON, **key),
        "django_q.ormq": OrmQ.objects.create(key="money", payload="x", lock=timezone.now()),
        "ledger.ledgertransaction": LedgerTransaction.objects.latest("pk"),
        "ledger.ledgerentry": LedgerEntry.objects.latest("pk"),
        "notifications.message": message,
    }


def _of_reconciliation(north: Organization) -> dict[str, Model]:
    """The two differences below are the residual of the run."""
    run = reconciliation.finished_run(residual=-200)
    return {
        "billing.reconciliationrun": run,
        "billing.discrepancy": reconciliation.difference(run),
        "billing.discrepancy:refetch": reconciliation.difference(run, of=making.payment(north)),
        "billing.reconciliationperiod": reconciliation.last_month(),
        "billing.chargefee": ChargeFee.objects.get(pk=reconciliation.movement("charge", 5000, 175).pk),
    }


@contextmanager
def undone() -> Iterator[None]:
    """What happens inside is taken back at its end, as if nobody had tried."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def writes() -> dict[str, int]:
    """Rows inserted, updated and deleted so far in this transaction, for each business table, as PostgreSQL counts them."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT relname, n_tup_ins + n_tup_upd + n_tup_del FROM pg_stat_xact_user_tables")
        return {name: count for name, count in cursor.fetchall() if name not in _BOOKKEEPING and count}
