"""Passing the admin role on, and the platform giving it to somebody."""

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from audit.actor import StaffGroup
from audit.models import AuditEntry
from core.errors import InvalidInput, NotFound, PermissionRefused, StepUpRequired
from notifications.models import Message
from organizations import admin_grants, admin_offers, members
from organizations.models import AdminOffer, Membership
from tests.draining import drain
from tests.factories.organizations import MembershipFactory
from tests.factories.people import Personas, UserFactory, actor, personas, staff
from tests.public_api.calling import signed_in

pytestmark = [pytest.mark.django_db, pytest.mark.gap("7.1")]


@pytest.fixture
def people() -> Personas:
    return personas(payouts_usable=False)


def of(user: object) -> Membership:
    return Membership.objects.get(user=user)


def offered(people: Personas, becomes: str = "admin") -> AdminOffer:
    return admin_offers.offer(membership_id=of(people.bob).pk, becomes=becomes, by=people.as_alice)


class TestOffer:
    def test_changes_nothing_and_tells_the_person(self, people: Personas) -> None:
        offered(people)
        drain()
        assert of(people.bob).role == "organizer"
        assert Message.objects.get(kind="admin_offered").to == people.bob.email

    def test_is_an_admins(self, people: Personas) -> None:
        former = actor(MembershipFactory(organization=people.organization, ended_at=timezone.now()).user)
        refusals = {
            people.as_bob: PermissionRefused,
            people.as_charlie: NotFound,
            former: NotFound,
            staff(StaffGroup.SUPPORT): PermissionRefused,
            actor(people.alice, stepped_up=False): StepUpRequired,
        }
        for by, refusal in refusals.items():
            with pytest.raises(refusal):
                admin_offers.offer(membership_id=of(people.bob).pk, by=by)
        assert not AdminOffer.objects.exists()

    def test_is_made_once_and_to_members_who_are_none(self, people: Personas) -> None:
        offered(people)
        with pytest.raises(admin_offers.AlreadyOffered):
            offered(people)
        with pytest.raises(members.RoleUnchanged):
            admin_offers.offer(membership_id=of(people.alice).pk, by=people.as_alice)
        with time_machine.travel(timezone.now() + timedelta(days=8)):
            admin_offers.offer(membership_id=of(people.bob).pk, by=actor(people.alice))
        assert list(AdminOffer.objects.order_by("pk").values_list("state", flat=True)) == ["expired", "pending"]


class TestAnOfferToAMember:
    def test_is_void_once_they_go(self, people: Personas) -> None:
        made = offered(people)
        members.remove(membership_id=of(people.bob).pk, by=people.as_alice)
        assert AdminOffer.objects.get(pk=made.pk).state == "withdrawn"
        with pytest.raises(NotFound):
            admin_offers.accept(offer_id=made.pk, by=people.as_bob)

    def test_is_void_once_they_have_the_role_otherwise(self, people: Personas) -> None:
        made = offered(people)
        members.change_role(membership_id=of(people.bob).pk, role="admin", by=people.as_alice)
        assert AdminOffer.objects.get(pk=made.pk).state == "withdrawn"


class TestAccept:
    def test_passes_the_role_on(self, people: Personas) -> None:
        made = offered(people, becomes="organizer")
        admin_offers.accept(offer_id=made.pk, by=people.as_bob)
        drain()

        assert (of(people.bob).role, of(people.alice).role) == ("admin", "organizer")
        assert AuditEntry.objects.filter(action="membership.role_changed").count() == 2
        assert Message.objects.get(kind="admin_accepted").to == people.bob.email

    def test_leaves_both_admins_where_that_was_offered(self, people: Personas) -> None:
        admin_offers.accept(offer_id=offered(people).pk, by=people.as_bob)
        assert (of(people.bob).role, of(people.alice).role) == ("admin", "admin")

    def test_is_the_persons_own(self, people: Personas) -> None:
        made = offered(people)
        for by in (people.as_alice, people.as_charlie, staff(StaffGroup.SUPERUSER)):
            with pytest.raises(NotFound):
                admin_offers.accept(offer_id=made.pk, by=by)
        members.remove(membership_id=of(people.bob).pk, by=people.as_alice)
        with pytest.raises(NotFound):
            admin_offers.accept(offer_id=made.pk, by=people.as_bob)

    def test_needs_the_giver_to_be_an_admin_still(self, people: Personas) -> None:
        made = offered(people)
        MembershipFactory(organization=people.organization)
        members.change_role(membership_id=of(people.alice).pk, role="organizer", by=people.as_alice)
        with pytest.raises(admin_offers.OfferClosed, match="no admin any more"):
            admin_offers.accept(offer_id=made.pk, by=people.as_bob)
        assert of(people.bob).role == "organizer"

    @pytest.mark.parametrize("end", ["decline", "withdraw", "time"])
    def test_comes_too_late_after_the_end(self, people: Personas, end: str) -> None:
        made, later = offered(people), timedelta()
        if end == "decline":
            admin_offers.decline(offer_id=made.pk, by=people.as_bob)
        elif end == "withdraw":
            admin_offers.withdraw(offer_id=made.pk, by=people.as_alice)
        else:
            later = timedelta(days=7, seconds=1)
        with time_machine.travel(timezone.now() + later), pytest.raises(admin_offers.OfferClosed):
            admin_offers.accept(offer_id=made.pk, by=actor(people.bob))
        assert of(people.bob).role == "organizer"

    def test_is_expired_by_the_clock(self, people: Personas) -> None:
        made = offered(people)
        admin_offers.expire_overdue()
        assert AdminOffer.objects.get(pk=made.pk).state == "pending"
        with time_machine.travel(timezone.now() + timedelta(days=7, seconds=1)):
            admin_offers.expire_overdue()
        assert AdminOffer.objects.get(pk=made.pk).state == "expired"

    def test_is_answered_on_ones_own_page(self, people: Personas) -> None:
        made = offered(people)
        bob, url = signed_in(people.bob), f"/organizations/offers/{made.public_id}"
        assert "offers you the admin role" in bob.get("/organizations").content.decode()
        assert signed_in(people.charlie).post(url, {"answer": "accept"}).status_code == 404
        assert "You are an admin" in bob.post(url, {"answer": "accept"}, follow=True).content.decode()
        assert "not open any more" in bob.post(url, {"answer": "decline"}, follow=True).content.decode()
        assert of(people.bob).role == "admin"


class TestGrant:
    def test_makes_an_admin_and_tells_everybody(self, people: Personas) -> None:
        ada = UserFactory(email="ada@example.org")
        admin_grants.grant(
            organization_id=people.organization.pk, email="Ada@example.org", reason="Alice died", by=staff(StaffGroup.SUPPORT)
        )
        drain()

        assert of(ada).role == "admin"
        assert AuditEntry.objects.get(action="admin.granted").reason == "Alice died"
        mails = Message.objects.filter(kind="admin_granted")
        assert set(mails.values_list("to", flat=True)) == {people.alice.email, people.bob.email, "ada@example.org"}
        assert all("Alice died" in mail.text for mail in mails)

    def test_raises_a_member(self, people: Personas) -> None:
        admin_grants.grant(organization_id=people.organization.pk, email=people.bob.email, reason="x", by=staff(StaffGroup.SUPPORT))
        assert of(people.bob).role == "admin"
        with pytest.raises(members.RoleUnchanged):
            admin_grants.grant(organization_id=people.organization.pk, email=people.bob.email, reason="x", by=staff(StaffGroup.SUPPORT))

    def test_is_supports_with_a_fresh_factor(self, people: Personas) -> None:
        stale = actor(UserFactory(staff_groups=["support"]), stepped_up=False)
        refusals = {
            people.as_alice: PermissionRefused,
            people.as_charlie: NotFound,
            staff(StaffGroup.FINANCE): PermissionRefused,
            stale: StepUpRequired,
        }
        for by, refusal in refusals.items():
            with pytest.raises(refusal):
                admin_grants.grant(organization_id=people.organization.pk, email=people.bob.email, reason="x", by=by)
        assert of(people.bob).role == "organizer"

    @pytest.mark.parametrize(
        ("email", "reason", "field"), [("bob", "x", "email"), ("nobody@example.org", "x", "email"), ("", " ", "reason")]
    )
    def test_refuses_nobody_and_no_reason(self, people: Personas, email: str, reason: str, field: str) -> None:
        with pytest.raises(InvalidInput) as refused:
            admin_grants.grant(
                organization_id=people.organization.pk, email=email or people.bob.email, reason=reason, by=staff(StaffGroup.SUPPORT)
            )
        assert refused.value.field == field
