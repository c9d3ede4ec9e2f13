"""Other roles, removing, leaving; and what an ended membership still opens."""

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from accounts.models import User
from audit.actor import Actor, StaffGroup
from audit.models import AuditEntry
from billing import fulfillment
from core.errors import InvalidInput, NotFound, PermissionRefused, StepUpRequired
from events.models import Event
from notifications.models import Message
from organizations import belongings, members, seating
from organizations.models import Membership, Organization
from tests.admin_ext import making
from tests.admin_ext.conftest import Nothing, sign_in
from tests.draining import drain
from tests.factories.billing import paid_payment
from tests.factories.events import DraftEventFactory
from tests.factories.organizations import MembershipFactory
from tests.factories.people import Personas, UserFactory, actor, personas, staff
from tests.organizations.test_invitations import Seats
from tests.public_api.calling import call, code, get, signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def people() -> Personas:
    return personas()


def of(user: object) -> Membership:
    return Membership.objects.get(user=user)


def refusals(people: Personas) -> list[tuple[Actor, type[Exception]]]:
    """Who may not touch a member of Alice's organization, and how they are told."""
    former = actor(MembershipFactory(organization=people.organization, ended_at=timezone.now()).user)
    manager = actor(MembershipFactory(organization=people.organization, role="course_manager").user)
    return [
        (people.as_bob, PermissionRefused),
        (manager, PermissionRefused),
        (people.as_charlie, NotFound),
        (former, NotFound),
        (actor(people.alice, stepped_up=False), StepUpRequired),
        (staff(StaffGroup.FINANCE), PermissionRefused),
        (staff(StaffGroup.AUDITOR), PermissionRefused),
        (Actor.anonymous(), NotFound),
    ]


@pytest.mark.gap("7.1")
class TestChangeRole:
    def test_gives_the_role_from_the_next_request_on(self, people: Personas, monkeypatch: pytest.MonkeyPatch) -> None:
        seats = Seats()
        monkeypatch.setattr(seating, "_answers", [seats])
        changed = members.change_role(membership_id=of(people.bob).pk, role="admin", by=people.as_alice)
        drain()

        assert of(people.bob).role == "admin"
        assert seats.calls == [("release", "organizer", changed.pk), ("reserve", "admin", changed.pk)]
        entry = AuditEntry.objects.get(action="membership.role_changed")
        assert (entry.before, entry.after, entry.user_id) == ({"role": "organizer"}, {"role": "admin"}, people.alice.pk)
        assert Message.objects.get(kind="role_changed").to == people.bob.email

    def test_refuses_whoever_may_not(self, people: Personas) -> None:
        for by, refusal in refusals(people):
            with pytest.raises(refusal):
                members.change_role(membership_id=of(people.bob).pk, role="admin", by=by)
        assert of(people.bob).role == "organizer"

    def test_keeps_the_last_admin(self, people: Personas) -> None:
        with pytest.raises(members.LastAdmin):
            members.change_role(membership_id=of(people.alice).pk, role="organizer", by=people.as_alice)
        members.change_role(membership_id=of(people.bob).pk, role="admin", by=people.as_alice)
        assert members.change_role(membership_id=of(people.alice).pk, role="organizer", by=people.as_alice).role == "organizer"

    def test_counts_no_admin_whose_account_is_switched_off(self, people: Personas) -> None:
        MembershipFactory(organization=people.organization, user=UserFactory(is_active=False))
        with pytest.raises(members.LastAdmin):
            members.change_role(membership_id=of(people.alice).pk, role="organizer", by=people.as_alice)

    def test_has_the_database_count_none_either(self, people: Personas) -> None:
        """Whoever writes past the operations."""
        MembershipFactory(organization=people.organization, user=UserFactory(is_active=False))
        with pytest.raises(IntegrityError, match="would have no admin"), transaction.atomic():
            Membership.objects.filter(pk=of(people.alice).pk).update(role="organizer")
            connection.check_constraints()

    def test_refuses_what_changes_nothing_and_what_is_no_role(self, people: Personas) -> None:
        with pytest.raises(members.RoleUnchanged):
            members.change_role(membership_id=of(people.bob).pk, role="organizer", by=people.as_alice)
        with pytest.raises(InvalidInput):
            members.change_role(membership_id=of(people.bob).pk, role="owner", by=people.as_alice)
        members.remove(membership_id=of(people.bob).pk, by=people.as_alice)
        with pytest.raises(members.MembershipEnded):
            members.change_role(membership_id=of(people.bob).pk, role="admin", by=people.as_alice)


@pytest.mark.gap("7.2")
class TestRemove:
    def test_ends_it_tells_the_person_and_frees_the_seat(self, people: Personas, monkeypatch: pytest.MonkeyPatch) -> None:
        seats = Seats()
        monkeypatch.setattr(seating, "_answers", [seats])
        ended = members.remove(membership_id=of(people.bob).pk, reason="Left the clinic", by=people.as_alice)
        drain()

        assert of(people.bob).ended_at is not None
        assert seats.calls == [("release", "organizer", ended.pk)]
        assert AuditEntry.objects.get(action="membership.removed").reason == "Left the clinic"
        assert Message.objects.get(kind="membership_ended").to == people.bob.email

    def test_refuses_whoever_may_not(self, people: Personas) -> None:
        for by, refusal in refusals(people):
            with pytest.raises(refusal):
                members.remove(membership_id=of(people.bob).pk, by=by)
        assert of(people.bob).ended_at is None

    def test_lets_a_course_manager_remove_an_instructor(self, people: Personas) -> None:
        manager = actor(MembershipFactory(organization=people.organization, role="course_manager").user)
        teacher = MembershipFactory(organization=people.organization, role="instructor")
        assert members.remove(membership_id=teacher.pk, by=manager).ended_at is not None

    def test_keeps_the_last_admin(self, people: Personas) -> None:
        for by in (people.as_alice, staff(StaffGroup.SUPPORT)):
            with pytest.raises(members.LastAdmin):
                members.remove(membership_id=of(people.alice).pk, by=by)

    @pytest.mark.gap("4.2")
    def test_hands_what_they_host_to_the_successor(self, people: Personas, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(fulfillment._handlers, "test", Nothing())
        event = DraftEventFactory(organization=people.organization, host=people.bob)
        elsewhere = DraftEventFactory(organization=people.elsewhere, host=people.bob)
        payment = paid_payment(organization=people.organization)
        type(payment).objects.filter(pk=payment.pk).update(responsible_id=people.bob.pk)

        with pytest.raises(members.SuccessorNeeded, match="1 event;") as refused:
            members.remove(membership_id=of(people.bob).pk, by=people.as_alice)
        assert refused.value.details == {"events": 1}
        members.remove(membership_id=of(people.bob).pk, successor_id=people.alice.pk, by=people.as_alice)

        assert Event.objects.get(pk=event.pk).host == people.alice
        assert Event.objects.get(pk=elsewhere.pk).host == people.bob
        assert type(payment).objects.get(pk=payment.pk).responsible_id == people.alice.pk
        assert AuditEntry.objects.get(action="event.handed_over").before == {"host_id": str(people.bob.pk)}

    def test_refuses_a_successor_who_cannot_host(self, people: Personas) -> None:
        teacher = MembershipFactory(organization=people.organization, role="instructor").user
        former = MembershipFactory(organization=people.organization, ended_at=timezone.now()).user
        for nobody in (people.bob, people.charlie, teacher, former):
            with pytest.raises(InvalidInput):
                members.remove(membership_id=of(people.bob).pk, successor_id=nobody.pk, by=people.as_alice)
        assert of(people.bob).ended_at is None

    def test_refuses_the_second_time(self, people: Personas) -> None:
        members.remove(membership_id=of(people.bob).pk, by=people.as_alice)
        with pytest.raises(members.MembershipEnded):
            members.remove(membership_id=of(people.bob).pk, by=people.as_alice)


@pytest.mark.gap("7.2")
class TestLeave:
    def test_ends_ones_own_and_tells_the_admins(self, people: Personas) -> None:
        members.leave(organization_id=people.organization.pk, by=actor(people.bob))
        drain()

        assert of(people.bob).ended_at is not None
        assert Message.objects.get(kind="member_left").to == people.alice.email

    def test_asks_for_a_successor_and_keeps_the_last_admin(self, people: Personas) -> None:
        DraftEventFactory(organization=people.organization, host=people.bob)
        with pytest.raises(members.SuccessorNeeded):
            members.leave(organization_id=people.organization.pk, by=people.as_bob)
        with pytest.raises(members.LastAdmin):
            members.leave(organization_id=people.organization.pk, by=people.as_alice)
        members.leave(organization_id=people.organization.pk, successor_id=people.alice.pk, by=people.as_bob)

    def test_is_for_members(self, people: Personas) -> None:
        for by in (people.as_charlie, staff(StaffGroup.SUPPORT), Actor.anonymous()):
            with pytest.raises(NotFound):
                members.leave(organization_id=people.organization.pk, by=by)


def looked_at_now() -> None:
    """Have the deferred triggers look, as the end of the transaction would."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


@pytest.mark.gap("7.1")
class TestTheDatabase:
    @pytest.mark.parametrize("change", [{"role": "organizer"}, {"ended_at": "2026-01-01T00:00:00Z"}])
    def test_keeps_an_admin_whoever_writes(self, people: Personas, change: dict[str, str]) -> None:
        with pytest.raises(IntegrityError, match="would have no admin"), transaction.atomic():
            Membership.objects.filter(organization=people.organization).update(**change)
            looked_at_now()
        assert of(people.alice).role == "admin"

    def test_keeps_an_admin_from_deletion(self, people: Personas) -> None:
        with pytest.raises(IntegrityError, match="would have no admin"), transaction.atomic():
            of(people.alice).delete()
            looked_at_now()

    def test_lets_the_role_pass_on_within_one_transaction_and_closed_organizations_empty(self, people: Personas) -> None:
        with transaction.atomic():
            Membership.objects.filter(user=people.alice).update(role="organizer")
            Membership.objects.filter(user=people.bob).update(role="admin")
            looked_at_now()
        Organization.objects.filter(pk=people.elsewhere.pk).update(is_active=False)
        Membership.objects.filter(user=people.charlie).update(ended_at=timezone.now())
        looked_at_now()


@pytest.mark.gap("4.2")
class TestAnEndedMembership:
    def test_opens_nothing_at_the_next_request_of_console_and_api(self, people: Personas, settings: object) -> None:
        console, api = sign_in(people.bob), signed_in(people.bob)
        path = f"/organizations/{people.organization.public_id}/members"
        assert console.get("/console/organizations/membership/").status_code == 200
        assert get(api, path).status_code == 200

        members.remove(membership_id=of(people.bob).pk, by=people.as_alice)

        assert console.get("/console/organizations/membership/", follow=True).status_code == 403
        assert get(api, path).status_code == 404


class TestApi:
    def test_lists_changes_and_removes(self, people: Personas, settings: object) -> None:
        settings.SECOND_FACTOR_REQUIRED = False  # type: ignore[attr-defined]
        alice, bob = signed_in(people.alice), of(people.bob)
        path = f"/organizations/{people.organization.public_id}/members"

        assert [(one["name"], one["role"]) for one in get(alice, path).json()["items"]] == [("Bob", "organizer"), ("Alice", "admin")]
        assert [one["name"] for one in get(alice, f"{path}?role=admin").json()["items"]] == ["Alice"]
        assert call(alice, "PATCH", f"{path}/{bob.public_id}", {"role": "admin"}).json()["role"] == "admin"
        assert code(call(alice, "PATCH", f"{path}/{bob.public_id}", {"role": "chief"})) == "VALIDATION_ERROR"
        DraftEventFactory(organization=people.organization, host=people.bob)
        assert code(call(alice, "DELETE", f"{path}/{bob.public_id}")) == "SUCCESSOR_NEEDED"
        gone = call(alice, "DELETE", f"{path}/{bob.public_id}?successor={of(people.alice).public_id}&reason=Moved")
        assert gone.json()["ended_at"] is not None
        assert code(call(alice, "DELETE", f"{path}/{of(people.alice).public_id}")) == "LAST_ADMIN"

    def test_asks_for_the_second_factor(self, people: Personas) -> None:
        path = f"/organizations/{people.organization.public_id}/members/{of(people.bob).public_id}"
        assert code(call(signed_in(people.alice), "PATCH", path, {"role": "admin"})) == "SECOND_FACTOR_REQUIRED"

    def test_knows_no_member_under_another_organizations_address(self, people: Personas, settings: object) -> None:
        settings.SECOND_FACTOR_REQUIRED = False  # type: ignore[attr-defined]
        MembershipFactory(organization=people.elsewhere, user=people.alice)
        path = f"/organizations/{people.elsewhere.public_id}/members/{of(people.bob).public_id}"
        assert call(signed_in(people.alice), "DELETE", path).status_code == 404
        assert of(people.bob).ended_at is None


class TestBelongings:
    @pytest.mark.rule("C1")
    def test_are_answered_by_every_app_that_has_some(self) -> None:
        assert belongings.answered_by() == {"billing", "events", "promo_codes", "registrations"}

    def test_are_answered_once(self) -> None:
        with pytest.raises(RuntimeError, match="two answers"):
            belongings.register("events", belongings._answers["events"])


class TestWithoutAdmin:
    def test_finds_organizations_that_nobody_can_act_for(self, people: Personas) -> None:
        assert people.organization not in Organization.objects.without_admin()
        User.objects.filter(pk=people.alice.pk).update(is_active=False)  # never refused: it stops somebody at once
        assert set(Organization.objects.without_admin()) == {people.organization}

    def test_is_a_work_queue_of_support(self, people: Personas) -> None:
        User.objects.filter(pk=people.alice.pk).update(is_active=False)
        support = sign_in(making.user("sol", groups=("support",)))
        assert "admins=none" in support.get("/staff/").content.decode()
        shown = support.get("/staff/organizations/organization/?admins=none").content.decode()
        assert people.organization.name in shown
        assert people.elsewhere.name not in shown
        assert "admins=none" not in sign_in(people.charlie).get("/console/").content.decode()
