"""The end of an organization: what stands in the way, what it takes along, what is left after thirty days."""

import csv
import io
import zipfile
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from audit.actor import StaffGroup
from audit.models import AuditEntry
from billing import fulfillment
from core import jobs
from core.errors import InvalidInput, NotFound, PermissionRefused, StepUpRequired
from core.models import Job
from events.models import Event
from notifications.models import Message
from organizations import admin_offers, branding, closing, export_links, exports, invitations, seating, staff_acting
from organizations.models import ActingGrant, AdminOffer, Invitation, Membership, Organization, OrganizationClosing, OrganizationExport
from registrations.models import Registration
from tests.admin_ext import making
from tests.admin_ext.conftest import Nothing, sign_in
from tests.draining import drain
from tests.factories.events import EventFactory
from tests.factories.organizations import MembershipFactory
from tests.factories.people import Personas, actor, personas, staff
from tests.factories.registrations import paid_event, pay, register
from tests.organizations.pictures import picture
from tests.organizations.test_invitations import Seats

pytestmark = [pytest.mark.django_db, pytest.mark.gap("7.4")]


@pytest.fixture
def people(settings: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Personas:
    settings.MEDIA_ROOT = tmp_path
    monkeypatch.setitem(fulfillment._handlers, "test", Nothing())
    return personas()


def close(people: Personas, by: Any = None, **values: Any) -> OrganizationClosing:
    given = {"confirmation": people.organization.name, "reason": "Merged", **values}
    return closing.close(organization_id=people.organization.pk, by=by or people.as_alice, **given)


def now(organization: Organization) -> Organization:
    return Organization.objects.get(pk=organization.pk)


class TestClose:
    def test_archives_and_ends_all_memberships(self, people: Personas, monkeypatch: pytest.MonkeyPatch) -> None:
        seats = Seats()
        monkeypatch.setattr(seating, "_answers", [seats])
        ahead = EventFactory(organization=people.organization, host=people.bob)
        Organization.objects.filter(pk=people.organization.pk).update(is_public=True)
        made = close(people)
        drain()

        gone = now(people.organization)
        assert (gone.is_active, gone.is_public) == (False, False)
        assert not Membership.objects.filter(organization=gone, ended_at=None).exists()
        assert {call[0] for call in seats.calls} == {"release"}
        assert Event.objects.get(pk=ahead.pk).state == "draft"
        assert Client().get(f"/events/{ahead.slug}").status_code == 404
        assert timedelta(days=29) < made.anonymise_after - timezone.now() <= timedelta(days=30)
        assert AuditEntry.objects.get(action="organization.closed").reason == "Merged"
        told = Message.objects.filter(kind="organization_closed").values_list("to", flat=True)
        assert set(told) == {people.alice.email, people.bob.email}

    def test_leaves_nothing_open(self, people: Personas) -> None:
        invited = invitations.invite(organization_id=people.organization.pk, email="a@example.org", role="organizer", by=people.as_alice)
        offer = admin_offers.offer(membership_id=Membership.objects.get(user=people.bob).pk, by=people.as_alice)
        staff_acting.begin(organization_id=people.organization.pk, reason="x", by=staff(StaffGroup.SUPPORT))
        close(people)

        assert Invitation.objects.get(pk=invited.pk).state == "revoked"
        assert AdminOffer.objects.get(pk=offer.pk).state == "withdrawn"
        assert ActingGrant.objects.get().ended_at is not None
        with pytest.raises(NotFound):
            close(people)

    def test_is_an_admins_and_supports(self, people: Personas) -> None:
        former = actor(MembershipFactory(organization=people.organization, ended_at=timezone.now()).user)
        refusals = {
            people.as_bob: PermissionRefused,
            people.as_charlie: NotFound,
            former: NotFound,
            staff(StaffGroup.FINANCE): PermissionRefused,
            actor(people.alice, stepped_up=False): StepUpRequired,
        }
        for by, refusal in refusals.items():
            with pytest.raises(refusal):
                close(people, by=by)
        assert now(people.organization).is_active
        assert close(people, by=staff(StaffGroup.SUPPORT)).state == "closed"

    @pytest.mark.parametrize("typed", ["", "yes", "Elsewhere", "ågård institute"])
    def test_asks_for_the_name(self, people: Personas, typed: str) -> None:
        with pytest.raises(InvalidInput) as refused:
            close(people, confirmation=typed)
        assert refused.value.field == "confirmation"
        assert now(people.organization).is_active

    def test_keeps_what_people_have(self, people: Personas) -> None:
        event = EventFactory(organization=people.organization, host=people.bob)
        place = register(event, email="guest@example.org").registration
        Event.objects.filter(pk=event.pk).update(starts_at=timezone.now() - timedelta(days=2), ends_at=timezone.now() - timedelta(days=1))
        before = Registration.objects.filter(pk=place.pk).values().get()
        close(people)
        assert Registration.objects.filter(pk=place.pk).values().get() == before


class TestBlockers:
    def codes(self, people: Personas) -> list[str]:
        with pytest.raises(closing.ClosingBlocked) as refused:
            close(people)
        assert now(people.organization).is_active
        assert not OrganizationExport.objects.exists()
        return [one["code"] for one in refused.value.details["blockers"]]

    def test_are_events_ahead_that_people_go_to_and_money_not_paid_out(self, people: Personas) -> None:
        pay(register(paid_event(organization=people.organization, host=people.bob), email="g@example.org").registration)
        assert self.codes(people) == ["earnings_left", "events_ahead"]

    def test_are_places_that_wait_for_money(self, people: Personas) -> None:
        register(paid_event(organization=people.organization, host=people.bob), email="g@example.org")
        assert self.codes(people) == ["events_ahead", "places_held"]

    def test_are_disputes_and_refunds(self, people: Personas) -> None:
        first, second = (making.payment(people.organization, amount=60_000) for _ in range(2))
        making.refund(first, by=staff(StaffGroup.FINANCE), amount=60_000)
        making.dispute(second)
        found = self.codes(people)
        assert found[:2] == ["disputes_open", "refunds_open"]

    def test_are_said_in_the_dialog_which_then_cannot_be_sent(self, people: Personas) -> None:
        register(paid_event(organization=people.organization, host=people.bob), email="g@example.org")
        dialog = sign_in(people.alice).get(f"/console/organizations/organization/{people.organization.public_id}/close/").content.decode()
        assert "Before it can be closed" in dialog
        assert "1 event still ahead" in dialog
        assert 'type="submit" class="console-button console-button-danger"' not in dialog

    def test_of_others_do_not_count(self, people: Personas) -> None:
        register(paid_event(organization=people.elsewhere, host=people.charlie), email="g@example.org")
        assert close(people).state == "closed"


class TestExport:
    def tables(self, export: OrganizationExport) -> dict[str, list[dict[str, str]]]:
        with export.bundle.open("rb") as kept, zipfile.ZipFile(kept) as bundle:
            return {
                name: list(csv.DictReader(io.StringIO(bundle.read(name).decode("utf-8-sig"), newline=""))) for name in bundle.namelist()
            }

    def test_holds_everything_and_no_formula(self, people: Personas) -> None:
        event = EventFactory(organization=people.organization, host=people.bob, title="=HYPERLINK(0)")
        register(event, email="guest@example.org", name="Zoë")
        making.payment(people.organization, email="buyer@example.org")
        making.payment(people.elsewhere, email="foreign@example.org")
        exports.request(organization_id=people.organization.pk, by=people.as_alice)
        drain()

        made = OrganizationExport.objects.get()
        tables = self.tables(made)
        assert (made.state, made.size > 0) == ("ready", True)
        names = {"organization", "members", "events", "sessions", "registrations", "payments", "refunds", "payouts"}
        names |= {"promo_codes", "promo_code_redemptions"}
        assert set(tables) == {f"{name}.csv" for name in names}
        assert tables["events.csv"][0]["title"] == "'=HYPERLINK(0)"
        assert tables["registrations.csv"][0]["name"] == "Zoë"
        assert [row["email"] for row in tables["payments.csv"]] == ["buyer@example.org"]
        assert tables["payments.csv"][0]["amount"] == "50.00"
        assert {row["name"] for row in tables["members.csv"]} == {"Alice", "Bob"}
        mail = Message.objects.get(kind="export_ready")
        assert mail.to == people.alice.email
        assert export_links.url(made) in mail.text

    def test_is_fetched_by_its_link_alone_for_thirty_days(self, people: Personas) -> None:
        exports.request(organization_id=people.organization.pk, by=people.as_alice)
        made = OrganizationExport.objects.get()
        path = f"/exports/{export_links.key(made)}"
        assert Client().post(path).status_code == 404  # it is not ready yet
        drain()
        assert Client().get(path).status_code == 200
        answer = Client().post(path)
        assert b"".join(answer.streaming_content)[:2] == b"PK"
        assert answer["Content-Disposition"].startswith("attachment")
        assert AuditEntry.objects.filter(action="organization.export_fetched").count() == 1
        assert Client().post("/exports/" + "x" * 43).status_code == 404
        with time_machine.travel(timezone.now() + timedelta(days=30, seconds=1)):
            assert Client().post(path).status_code == 404
            stored = OrganizationExport.objects.get().bundle
            exports.expire_overdue()
            assert not stored.storage.exists(stored.name)
        assert OrganizationExport.objects.get().state == "expired"

    def test_is_made_one_at_a_time_and_once(self, people: Personas) -> None:
        made = exports.request(organization_id=people.organization.pk, by=people.as_alice)
        with pytest.raises(exports.ExportUnderWay):
            exports.request(organization_id=people.organization.pk, by=people.as_alice)
        drain()
        exports.build(export_id=made.pk)
        drain()
        assert Message.objects.filter(kind="export_ready").count() == 1

    def test_is_an_admins_and_supports(self, people: Personas) -> None:
        for by, refusal in (
            (people.as_bob, PermissionRefused),
            (people.as_charlie, NotFound),
            (staff(StaffGroup.AUDITOR), PermissionRefused),
        ):
            with pytest.raises(refusal):
                exports.request(organization_id=people.organization.pk, by=by)
        with pytest.raises(StepUpRequired):
            exports.request(organization_id=people.organization.pk, by=actor(people.alice, stepped_up=False))
        assert not OrganizationExport.objects.exists()

    def give_up(self) -> None:
        """The worker died in every attempt."""
        for job in Job.objects.filter(name="organizations.exports.build"):
            job.start(at=timezone.now(), lease=timedelta())
            jobs.bury(job=job, error="no space left")

    def test_whose_job_was_given_up_has_failed_and_is_asked_for_again(self, people: Personas) -> None:
        exports.request(organization_id=people.organization.pk, by=people.as_alice)
        exports.sweep()
        assert OrganizationExport.objects.get().state == "queued"  # its job is still to come
        self.give_up()
        exports.sweep()
        drain()

        lost = OrganizationExport.objects.get()
        assert lost.state == "failed"
        assert AuditEntry.objects.filter(action="organization.export_failed").count() == 1
        mail = Message.objects.get(kind="export_failed")
        assert mail.to == people.alice.email
        assert "Ask for it again" in mail.text
        again = exports.request(organization_id=people.organization.pk, by=people.as_alice)
        drain()
        assert OrganizationExport.objects.get(pk=again.pk).state == "ready"

    def test_does_not_wait_for_the_sweep_where_the_job_was_given_up(self, people: Personas) -> None:
        exports.request(organization_id=people.organization.pk, by=people.as_alice)
        self.give_up()
        exports.request(organization_id=people.organization.pk, by=people.as_alice)
        assert sorted(OrganizationExport.objects.values_list("state", flat=True)) == ["failed", "queued"]

    def test_is_made_where_its_job_is_tried_again(self, people: Personas) -> None:
        made = exports.request(organization_id=people.organization.pk, by=people.as_alice)
        self.give_up()
        exports.sweep()
        jobs.retry(job_id=Job.objects.get(name="organizations.exports.build").pk)
        drain()
        assert OrganizationExport.objects.get(pk=made.pk).state == "ready"
        assert not Message.objects.filter(kind="export_failed").exists()

    def test_of_a_closed_organization_is_made_again_by_support_for_its_admins(self, people: Personas) -> None:
        close(people)
        support, organization = staff(StaffGroup.SUPPORT), people.organization.pk
        with pytest.raises(exports.ExportUnderWay):
            exports.request(organization_id=organization, by=support)
        self.give_up()
        exports.sweep()
        with pytest.raises(NotFound):
            exports.request(organization_id=organization, by=people.as_alice)
        exports.request(organization_id=organization, by=support)
        drain()
        assert Message.objects.get(kind="export_ready").to == people.alice.email
        with pytest.raises(NotFound):
            exports.request(organization_id=organization, by=support)  # it was made: nothing to make again

    def test_reaches_the_admins_of_a_closed_organization(self, people: Personas) -> None:
        close(people)
        drain()
        assert Message.objects.get(kind="export_ready").to == people.alice.email
        assert "organization.csv" in self.tables(OrganizationExport.objects.get())


class TestAnonymise:
    def test_takes_away_what_names_it_after_thirty_days(self, people: Personas) -> None:
        invitations.invite(organization_id=people.organization.pk, email="asked@example.org", role="organizer", by=people.as_alice)
        logo = branding.set_logo(organization_id=people.organization.pk, content=picture(), by=people.as_alice).logo
        Organization.objects.filter(pk=people.organization.pk).update(description="We teach", legal_name="Ågård AB", address="Street 1")
        close(people)
        closing.anonymise_due()
        assert now(people.organization).name == "Ågård Institute"

        with time_machine.travel(timezone.now() + timedelta(days=30, seconds=1)):
            for _ in range(2):
                closing.anonymise_due()
        closing.anonymise(closing_id=OrganizationClosing.objects.get().pk)
        gone = now(people.organization)
        assert gone.name == "Closed organization"
        assert (gone.description, gone.legal_name, gone.address, gone.tax_id, gone.logo.name) == ("", "", "", "", "")
        assert "asked@example.org" not in str(list(Invitation.objects.values()))
        assert not logo.storage.exists(logo.name)
        assert OrganizationClosing.objects.get().state == "anonymised"
        assert AuditEntry.objects.filter(action="organization.anonymised").count() == 1
