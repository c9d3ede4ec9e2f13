"""Nobody sees a row of an organization that they do not work for: both consoles walked as the wrong organization, as an ended member, as
an outsider. That the walk would notice is shown by planted leaks."""

from typing import Any

import pytest
from django.db.models import Model
from django.test import Client
from django.utils import timezone

from accounts.models import User
from admin_ext.billing.payments import PaymentAdmin
from admin_ext.console import autocomplete, bulk_runs, columns
from admin_ext.console.base import ConsoleModelAdmin
from admin_ext.models import BulkRun
from admin_ext.sites import console_site, staff_site
from audit.models import AuditEntry
from billing import fulfillment, payout_requests
from billing.models import Dispute, Document, Payment, Refund
from entitlements.models import Allowance
from events.models import Event, Session
from organizations.models import Membership, Organization
from promo_codes.models import PromoCode, Redemption
from registrations.models import AttendanceLine, Registration, Verdict
from tests.admin_ext import making
from tests.admin_ext.conftest import Nothing, sign_in
from tests.architecture.console_walk import Walk, World
from tests.factories import attendance as attended
from tests.factories.accounts import usable_account
from tests.factories.people import actor

pytestmark = [pytest.mark.django_db, pytest.mark.rule("S1")]

SECRETS = [
    "Rival Academy",
    "Rival masterclass",
    "payer@rival.example",
    "Rival Payer",
    "person@rival.example",
    "charlie-of-rival@example.org",
    "invited-by-rival@example.org",
    "Offered-by-rival",
    "person-of-file@rival.example",
    "Rival Participant",
    "RIVALS-CODE",
    "coded@rival.example",
]


@pytest.fixture(autouse=True)
def sells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(fulfillment._handlers, "test", Nothing())


@pytest.fixture
def charlie() -> User:
    return making.user("charlie-of-rival")


@pytest.fixture
def rival(charlie: User) -> Organization:
    made = making.organization("Rival Academy")
    making.member(made, charlie)
    return made


@pytest.fixture
def world(rival: Organization, charlie: User) -> World:
    """One row of everything that an organizer could see, all of Rival Academy."""
    event = making.event(rival, charlie, "Rival masterclass")
    payment = making.payment(rival, for_event=event, email="payer@rival.example", name="Rival Payer")
    registration = making.registration(event, email="person@rival.example", payment=payment)
    refund = making.refund(payment, by=actor(charlie))
    dispute = making.dispute(making.payment(rival, email="payer@rival.example"))
    by = actor(charlie, organization=rival)
    run = bulk_runs.freeze(kind="payment.refund", rows=Payment.objects.visible_to(by), as_staff=False, by=by)
    run.items.update(label="Rival Payer of the run")
    account = usable_account(rival)
    earner = making.payment(rival, amount=90_000, email="payer@rival.example")
    payout = payout_requests.request(organization_id=rival.pk, currency=earner.currency, amount=2000, source="console", by=actor(charlie))
    rows: list[Model] = [
        event,
        event.sessions.get(),
        payment,
        registration,
        attended.verdict(registration),
        attended.line(event.sessions.get(), by=actor(charlie), email="person-of-file@rival.example", name="Rival Participant"),
        refund,
        dispute,
        making.document(payment),
        *codes_of(rival, charlie, event),
        run,
        rival,
        account,
        payout,
        *plan_of(rival),
        *people_of(rival, charlie),
        AuditEntry.objects.about(refund).get(),
    ]
    return World({type(row): row for row in rows}, SECRETS)


def plan_of(rival: Organization) -> list[Model]:
    return [making.trial(rival), making.invoice(rival), Allowance.objects.get(grant__organization_id=rival.pk, resource="events")]


def codes_of(rival: Organization, charlie: User, event: Event) -> list[Model]:
    code = making.promo_code(rival, charlie, "RIVALS-CODE")
    return [code, making.redemption(code, making.registration(event, email="coded@rival.example"))]


def people_of(rival: Organization, charlie: User) -> list[Model]:
    return [
        Membership.objects.get(organization=rival, user=charlie),
        making.admin_offer(rival, charlie, making.user("offered-by-rival")),
        making.acting_grant(rival, making.user("sol", groups=("support",))),
        making.invitation(rival, charlie, "invited-by-rival@example.org"),
    ]


@pytest.fixture
def alice() -> Client:
    """Admin of another organization."""
    person, north = making.user("alice"), making.organization("North Clinic")
    making.member(north, person)
    making.payment(north)
    making.event(north, person)
    return sign_in(person)


@pytest.fixture
def dora(rival: Organization) -> Client:
    """Was an admin of Rival Academy until today, works for another organization now."""
    person, north = making.user("dora"), making.organization("South Clinic")
    making.member(rival, person, ended_at=timezone.now())
    making.member(north, person)
    client = sign_in(person)
    session = client.session
    session["console_organization"] = str(rival.pk)  # the console was switched to it when the membership ended
    session.save()
    return client


def rows_of(world: World) -> list[Any]:
    return [type(row)._default_manager.filter(pk=row.pk).values().get() for row in world.rows.values()]


class TestTheOrganizerConsole:
    def test_shows_no_row_of_another_organization_anywhere(self, world: World, alice: Client) -> None:
        before, refunds, runs = rows_of(world), Refund.objects.count(), BulkRun.objects.count()
        walk = Walk(console_site, alice, world).go()

        assert walk.found == []
        assert walk.asked > 300
        assert rows_of(world) == before
        assert (Refund.objects.count(), BulkRun.objects.count()) == (refunds, runs)

    def test_shows_none_to_a_member_whose_time_has_ended(self, world: World, dora: Client) -> None:
        before = rows_of(world)
        walk = Walk(console_site, dora, world, brief=True).go()

        assert walk.found == []
        assert rows_of(world) == before

    def test_shows_an_organizer_only_their_own_where_the_organization_says_so(self, world: World, rival: Organization) -> None:
        """The same organization: what belongs to it as a whole is theirs to see, events and money of others are not."""
        rival.organizer_scope = "own"
        rival.save()
        person = making.user("olga")
        making.member(rival, person, "organizer")
        secrets = [one for one in SECRETS if one not in ("Rival Academy", "charlie-of-rival@example.org") and "by-rival" not in one]
        narrowed = frozenset(
            {Event, Session, Payment, Refund, Dispute, Document, Registration, PromoCode, Redemption, Verdict, AttendanceLine}
        )
        walk = Walk(console_site, sign_in(person), World(world.rows, secrets), only=narrowed, brief=True).go()

        assert walk.found == []

    def test_shows_each_of_these_rows_to_whom_they_belong(self, world: World, charlie: User) -> None:
        """Or the walks above would pass on pages that are broken for everybody."""
        client = sign_in(charlie)
        for row in world.rows.values():
            url = f"/console/{row._meta.app_label}/{row._meta.model_name}/{row.public_id}/change/"  # type: ignore[attr-defined]
            assert client.get(url).status_code == 200, url


class TestTheStaffConsole:
    @pytest.mark.parametrize("who", ["alice", "dora"])
    def test_opens_no_page_to_organizers(self, world: World, who: str, request: pytest.FixtureRequest) -> None:
        client = request.getfixturevalue(who)
        walk = Walk(staff_site, client, world)
        for url in [*walk._site_pages(), *(url for model, admin in staff_site._registry.items() for url in addresses(walk, model, admin))]:
            answer = client.get(url, follow=True)
            assert answer.status_code in (403, 404) or "/staff/" not in answer.request["PATH_INFO"], url
            assert not [secret for secret in world.secrets if secret in answer.content.decode()], url


def addresses(walk: Walk, model: type[Model], admin: Any) -> list[str]:
    row = walk.world.rows.get(model) or model()
    list_url = f"/staff/{model._meta.app_label}/{model._meta.model_name}/"
    return [list_url, f"{list_url}add/", *walk._objects(admin, row)]


class TestTheWalkItself:
    """Each way to forget the scope is planted once; the walk must find it."""

    def test_notices_a_list_without_scope(self, world: World, alice: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        every = Payment.objects.select_related("organization").order_by("-pk")
        monkeypatch.setattr(PaymentAdmin, "get_queryset", lambda self, request: every.all())

        assert any("billing/payment" in sentence for sentence in walked(alice, world, Payment))

    def test_notices_an_object_page_without_scope(self, world: World, alice: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(ConsoleModelAdmin, "get_object", lambda self, request, key, field=None: world.rows[self.model])

        assert any("must look absent" in sentence for sentence in walked(alice, world, Refund))

    def test_notices_a_choice_without_scope(self, world: World, alice: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(autocomplete, "visible", lambda model, by: model._default_manager.all())
        monkeypatch.setattr(ConsoleModelAdmin, "get_queryset", lambda self, request: self.model._default_manager.order_by("pk"))

        assert any("/autocomplete/" in sentence for sentence in walked(alice, world, Registration))

    def test_notices_a_column_that_names_somebody_else(self, world: World, alice: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(columns, "EMPTY", "Rival Academy")

        assert walked(alice, world, Payment)

    def test_notices_a_screen_that_the_world_lacks(self, world: World, alice: Client) -> None:
        del world.rows[Dispute]

        assert any("billing.Dispute" in sentence for sentence in walked(alice, world, Dispute))


def walked(client: Client, world: World, *only: type[Model]) -> list[str]:
    return Walk(console_site, client, world, only=frozenset(only)).go().found
