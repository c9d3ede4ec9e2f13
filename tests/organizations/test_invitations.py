"""Inviting, sending again, withdrawing."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import IntegrityError, transaction
from django.utils import timezone

from audit.actor import Actor, StaffGroup
from audit.models import AuditEntry
from core.errors import InvalidInput, NotFound, PermissionRefused, StepUpRequired
from core.models import Job
from notifications.models import Message
from organizations import invitation_answers, invitation_links, invitations, seating
from organizations.models import Invitation, Organization
from tests.draining import drain
from tests.factories.organizations import MembershipFactory
from tests.factories.people import Personas, UserFactory, actor, personas, staff

pytestmark = [pytest.mark.django_db, pytest.mark.gap("7.3")]


@pytest.fixture
def people() -> Personas:
    return personas(payouts_usable=False)


def invite(people: Personas, email: str = "ada@example.org", role: str = "organizer", by: Actor | None = None) -> Invitation:
    return invitations.invite(organization_id=people.organization.pk, email=email, role=role, by=by or people.as_alice)


class TestInvite:
    def test_keeps_the_invitation_and_mails_its_link(self, people: Personas) -> None:
        made = invite(people, " Ada@Example.ORG ")
        drain()

        assert (made.email, made.role, made.state, made.invited_by) == ("ada@example.org", "organizer", "pending", people.alice)
        assert timedelta(days=6, hours=23) < made.expires_at - timezone.now() <= timedelta(days=7)
        mail = Message.objects.get(kind="invitation")
        assert mail.to == "ada@example.org"
        assert invitation_links.url(made) in mail.text
        assert "Ågård Institute" in mail.subject
        assert AuditEntry.objects.get(action="invitation.sent").organization_id == people.organization.pk

    @pytest.mark.rule("S9")
    def test_stores_no_token_but_its_hash(self, people: Personas) -> None:
        made = invite(people)

        token = invitation_links.token(made)
        row = Invitation.objects.filter(pk=made.pk).values().get()
        assert token not in str(row)
        assert row["token_hash"] == invitation_links.stored_hash(token)
        assert len(token) == 43
        assert token not in str(list(AuditEntry.objects.values())) + str(list(Job.objects.values()))

    def test_refuses_those_who_may_not_and_writes_nothing(self, people: Personas) -> None:
        former = MembershipFactory(organization=people.organization, ended_at=timezone.now()).user
        for by, refusal in ((people.as_bob, PermissionRefused), (people.as_charlie, NotFound), (actor(former), NotFound)):
            with pytest.raises(refusal):
                invite(people, by=by)
        with pytest.raises(StepUpRequired):
            invite(people, by=actor(people.alice, stepped_up=False))
        with pytest.raises(PermissionRefused):
            invite(people, by=staff(StaffGroup.FINANCE))
        assert not Invitation.objects.exists()
        assert not Message.objects.exists()

    def test_lets_support_invite_for_an_organization(self, people: Personas) -> None:
        assert invite(people, by=staff(StaffGroup.SUPPORT)).organization == people.organization

    def test_lets_a_course_manager_invite_instructors_only(self, people: Personas) -> None:
        by = actor(MembershipFactory(organization=people.organization, role="course_manager").user)

        assert invite(people, role="instructor", by=by).role == "instructor"
        for role in ("admin", "organizer", "course_manager"):
            with pytest.raises(PermissionRefused):
                invite(people, "other@example.org", role=role, by=by)

    @pytest.mark.parametrize("email", ["", "ada", "ada@", "a b@example.org", "ada@example.org\nbcc: x@example.org", "x" * 250 + "@a.org"])
    def test_refuses_what_is_no_address(self, people: Personas, email: str) -> None:
        with pytest.raises(InvalidInput) as refused:
            invite(people, email)
        assert refused.value.field == "email"
        assert not Invitation.objects.exists()

    @pytest.mark.parametrize("role", ["", "owner", "Admin", "staff"])
    def test_refuses_a_role_that_there_is_not(self, people: Personas, role: str) -> None:
        with pytest.raises(InvalidInput, match="Choose a role"):
            invite(people, role=role)

    def test_refuses_a_member_by_any_of_their_addresses(self, people: Personas) -> None:
        people.bob.emailaddress_set.create(email="bob@other.example", verified=True)  # type: ignore[attr-defined]
        for address in (people.bob.email.upper(), "bob@other.example"):
            with pytest.raises(invitations.AlreadyMember):
                invite(people, address)

    def test_refuses_whom_it_has_invited_and_names_the_open_invitation(self, people: Personas) -> None:
        first = invite(people)

        with pytest.raises(invitations.AlreadyInvited) as refused:
            invite(people, "ADA@example.org", role="admin")
        assert refused.value.details == {"invitation": first.public_id}
        assert Invitation.objects.count() == 1

    def test_invites_anew_after_the_time_is_over_and_after_the_member_has_gone(self, people: Personas) -> None:
        first = invite(people)
        with time_machine.travel(timezone.now() + timedelta(days=8)):
            again = invite(people, by=actor(people.alice))
            assert Invitation.objects.get(pk=first.pk).state == "expired"
            ada = UserFactory(email="ada@example.org")
            membership = invitation_answers.accept(token=invitation_links.token(again), by=actor(ada))
            membership.ended_at = timezone.now()
            membership.save()
            assert invite(people, by=actor(people.alice)).state == "pending"

    def test_stops_at_so_many_a_day(self, people: Personas, settings: Any) -> None:
        settings.INVITATIONS_A_DAY = 2
        invite(people, "a@example.org")
        invite(people, "b@example.org")

        with pytest.raises(invitations.InvitationLimit):
            invite(people, "c@example.org")
        with time_machine.travel(timezone.now() + timedelta(hours=25)):
            assert invite(people, "c@example.org", by=actor(people.alice)).state == "pending"

    def test_invites_nobody_to_a_closed_organization(self, people: Personas) -> None:
        Organization.objects.filter(pk=people.organization.pk).update(is_active=False)
        for by in (actor(people.alice), staff(StaffGroup.SUPPORT)):
            with pytest.raises(NotFound):
                invite(people, by=by)

    def test_reserves_the_seat_and_takes_all_back_where_there_is_none(self, people: Personas, monkeypatch: pytest.MonkeyPatch) -> None:
        asked = Seats()
        monkeypatch.setattr(seating, "_answers", [asked])
        made = invite(people)
        assert asked.calls == [("reserve", "organizer", made.pk)]

        asked.is_full = True
        with pytest.raises(InvalidInput):
            invite(people, "b@example.org")
        assert Invitation.objects.count() == 1


class Seats:
    """An answer to organizations.seating that remembers what it was asked."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.is_full = False

    def preview(self, *, organization_id: Any, role: str, count: int = 1, outside: bool = False) -> seating.SeatPreview:
        return seating.SeatPreview(is_counted=True, used=1, included=1)

    def reserve(self, *, organization_id: Any, role: str, holder_id: Any, by: Actor, may_buy: bool = False) -> None:
        if self.is_full:
            raise InvalidInput("No seat is left.")
        self.calls.append(("reserve", role, holder_id))

    def release(self, *, organization_id: Any, role: str, holder_id: Any, by: Actor) -> None:
        self.calls.append(("release", role, holder_id))


class TestResend:
    def test_makes_a_new_link_and_the_old_one_opens_nothing(self, people: Personas) -> None:
        made = invite(people)
        old = invitation_links.token(made)
        with time_machine.travel(timezone.now() + timedelta(days=5)):
            sent = invitations.resend(invitation_id=made.pk, by=actor(people.alice))
            drain()
            assert sent.expires_at > timezone.now() + timedelta(days=6)

        assert invitation_links.found(invitation_links.token(sent)) == made
        with pytest.raises(NotFound):
            invitation_links.found(old)
        last = Message.objects.filter(kind="invitation").latest("id")
        assert invitation_links.token(sent) in last.text

    def test_does_so_three_times_in_a_day(self, people: Personas) -> None:
        made = invite(people)
        for _ in range(3):
            invitations.resend(invitation_id=made.pk, by=people.as_alice)

        with pytest.raises(invitations.ResendLimit) as refused:
            invitations.resend(invitation_id=made.pk, by=people.as_alice)
        assert refused.value.http_status == 429
        assert Invitation.objects.get(pk=made.pk).number == 4
        with time_machine.travel(timezone.now() + timedelta(hours=25)):
            assert invitations.resend(invitation_id=made.pk, by=actor(people.alice)).number == 5

    def test_refuses_colleagues_outsiders_and_what_is_closed(self, people: Personas) -> None:
        made = invite(people)
        for by in (people.as_bob, people.as_charlie):  # an organizer sees no invitations
            with pytest.raises(NotFound):
                invitations.resend(invitation_id=made.pk, by=by)
        invitations.revoke(invitation_id=made.pk, by=people.as_alice)
        with pytest.raises(invitations.InvitationClosed, match="withdrawn"):
            invitations.resend(invitation_id=made.pk, by=people.as_alice)

    def test_revives_nothing_whose_time_is_over(self, people: Personas) -> None:
        made = invite(people)
        with (
            time_machine.travel(timezone.now() + timedelta(days=7, minutes=1)),
            pytest.raises(invitations.InvitationClosed, match="expired"),
        ):
            invitations.resend(invitation_id=made.pk, by=actor(people.alice))


class TestRevoke:
    def test_closes_it_tells_the_person_and_frees_the_seat(self, people: Personas, monkeypatch: pytest.MonkeyPatch) -> None:
        seats = Seats()
        made = invite(people)
        monkeypatch.setattr(seating, "_answers", [seats])

        invitations.revoke(invitation_id=made.pk, by=people.as_alice)
        drain()

        assert Invitation.objects.get(pk=made.pk).state == "revoked"
        assert seats.calls == [("release", "organizer", made.pk)]
        assert Message.objects.get(kind="invitation_revoked").to == "ada@example.org"
        assert not Message.objects.filter(kind="invitation").exists()  # it was withdrawn before the first mail went out

    def test_is_for_those_who_may_invite(self, people: Personas) -> None:
        made = invite(people)
        manager = actor(MembershipFactory(organization=people.organization, role="course_manager").user)
        for by, refusal in ((people.as_bob, NotFound), (people.as_charlie, NotFound), (manager, PermissionRefused)):
            with pytest.raises(refusal):
                invitations.revoke(invitation_id=made.pk, by=by)
        assert Invitation.objects.get(pk=made.pk).state == "pending"

    def test_refuses_the_second_time(self, people: Personas) -> None:
        made = invite(people)
        invitations.revoke(invitation_id=made.pk, by=people.as_alice)
        with pytest.raises(invitations.InvitationClosed):
            invitations.revoke(invitation_id=made.pk, by=people.as_alice)


class TestDatabase:
    def test_holds_one_open_invitation_for_an_address(self, people: Personas) -> None:
        made = invite(people)
        values = {"organization": made.organization, "role": "admin", "invited_by": people.alice, "sent_at": made.sent_at}
        with pytest.raises(IntegrityError, match="invitation_pending_once"), transaction.atomic():
            Invitation.objects.create(email="ADA@example.org", token_hash="x", expires_at=made.expires_at, **values)

    @pytest.mark.parametrize("state", ["accepted", "declined", "expired"])
    def test_lets_nothing_come_back_from_the_end(self, people: Personas, state: str) -> None:
        made = invite(people)
        invitations.revoke(invitation_id=made.pk, by=people.as_alice)
        with pytest.raises(IntegrityError, match="invitation"), transaction.atomic():
            Invitation.objects.filter(pk=made.pk).update(state=state)
