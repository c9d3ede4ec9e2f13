"""Looking at an invitation, accepting it, declining it, and leaving it to expire."""

from datetime import timedelta

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from audit.actor import Actor
from core.errors import NotFound
from notifications.models import Message
from organizations import invitation_answers, invitation_links, invitations, seating
from organizations.models import Invitation, Membership, Organization
from tests.admin_ext import making
from tests.admin_ext.conftest import sign_in
from tests.draining import drain
from tests.factories.people import Personas, UserFactory, actor, personas
from tests.organizations.test_invitations import Seats
from tests.public_api.calling import call, code, get, signed_in

pytestmark = [pytest.mark.django_db, pytest.mark.gap("2.3"), pytest.mark.rule("S9")]


@pytest.fixture
def people() -> Personas:
    return personas(payouts_usable=False)


@pytest.fixture
def invited(people: Personas) -> Invitation:
    return invitations.invite(organization_id=people.organization.pk, email="ada@example.org", role="organizer", by=people.as_alice)


@pytest.fixture
def token(invited: Invitation) -> str:
    return invitation_links.token(invited)


class TestLink:
    def test_is_told_to_no_other_site_and_kept_by_no_cache(self, people: Personas) -> None:
        made = invitations.invite(organization_id=people.organization.pk, email="ada@example.org", role="organizer", by=people.as_alice)
        answer = Client().get(f"/invitations/{invitation_links.token(made)}")
        assert (answer["Referrer-Policy"], answer["Cache-Control"]) == ("same-origin", "private, no-store")
        assert invitation_links.token(made) not in str(Invitation.objects.values().get())

    def test_is_not_shown_in_the_console(self, people: Personas) -> None:
        made = invitations.invite(organization_id=people.organization.pk, email="ada@example.org", role="organizer", by=people.as_alice)
        drain()
        message = Message.objects.get(kind="invitation")
        page = sign_in(making.user("sol", groups=("support",))).get(f"/staff/notifications/message/{message.public_id}/change/")
        shown = page.content.decode()
        assert "taken out" in shown
        assert invitation_links.token(made) in message.text  # it is there to be hidden
        assert invitation_links.token(made) not in shown


class TestAccept:
    def test_makes_a_member_and_tells_who_invited(self, people: Personas, invited: Invitation, token: str) -> None:
        ada = UserFactory(email="ada@example.org")
        membership = invitation_answers.accept(token=token, by=actor(ada))
        drain()

        assert (membership.organization, membership.user, membership.role) == (people.organization, ada, "organizer")
        closed = Invitation.objects.get(pk=invited.pk)
        assert (closed.state, closed.accepted_by) == ("accepted", ada)
        assert Message.objects.get(kind="invitation_accepted").to == people.alice.email

    def test_counts_a_second_address_that_the_account_has_proven(self, token: str) -> None:
        person = UserFactory()
        person.emailaddress_set.create(email="ada@example.org", verified=True)
        assert invitation_answers.accept(token=token, by=actor(person)).user == person

    def test_refuses_another_address_in_a_sentence_that_helps(self, people: Personas, token: str) -> None:
        with pytest.raises(invitation_answers.InvitedAtAnotherAddress, match="sent to another address") as refused:
            invitation_answers.accept(token=token, by=people.as_charlie)
        assert refused.value.http_status == 403
        assert not Membership.objects.filter(organization=people.organization, user=people.charlie).exists()

    def test_refuses_an_address_that_is_not_proven(self, people: Personas, token: str) -> None:
        ada = UserFactory(email="ada@example.org", verified=False)
        with pytest.raises(invitation_answers.AddressNotVerified):
            invitation_answers.accept(token=token, by=actor(ada))
        assert not ada.memberships.exists()

    def test_refuses_what_is_over(self, token: str, invited: Invitation) -> None:
        ada = UserFactory(email="ada@example.org")
        with time_machine.travel(timezone.now() + timedelta(days=7, seconds=1)), pytest.raises(invitations.InvitationClosed):
            invitation_answers.accept(token=token, by=actor(ada))
        invitation_answers.accept(token=token, by=actor(ada))
        with pytest.raises(invitations.InvitationClosed) as refused:
            invitation_answers.accept(token=token, by=actor(ada))
        assert refused.value.details == {"state": "accepted"}
        assert ada.memberships.count() == 1

    def test_refuses_whoever_became_a_member_meanwhile(self, people: Personas, token: str) -> None:
        people.bob.emailaddress_set.create(email="ada@example.org", verified=True)  # type: ignore[attr-defined]
        with pytest.raises(invitations.AlreadyMember):
            invitation_answers.accept(token=token, by=actor(people.bob))

    @pytest.mark.parametrize("wrong", ["", "x", "z" * 43, "ü" * 43, "z" * 5000])
    def test_knows_no_other_token(self, token: str, wrong: str) -> None:
        with pytest.raises(NotFound):
            invitation_answers.accept(token=wrong, by=actor(UserFactory(email="ada@example.org")))

    def test_is_for_people_and_open_organizations(self, people: Personas, token: str) -> None:
        with pytest.raises(NotFound):
            invitation_answers.accept(token=token, by=Actor.anonymous())
        Organization.objects.filter(pk=people.organization.pk).update(is_active=False)
        with pytest.raises(NotFound):
            invitation_answers.accept(token=token, by=actor(UserFactory(email="ada@example.org")))

    def test_hands_the_seat_over(self, invited: Invitation, token: str, monkeypatch: pytest.MonkeyPatch) -> None:
        seats = Seats()
        monkeypatch.setattr(seating, "_answers", [seats])
        made = invitation_answers.accept(token=token, by=actor(UserFactory(email="ada@example.org")))
        assert seats.calls == [("release", "organizer", invited.pk), ("reserve", "organizer", made.pk)]


class TestDecline:
    def test_closes_it_for_whoever_holds_the_link(self, people: Personas, invited: Invitation, token: str) -> None:
        invitation_answers.decline(token=token, by=Actor.anonymous())
        drain()

        assert Invitation.objects.get(pk=invited.pk).state == "declined"
        assert Message.objects.get(kind="invitation_declined").to == people.alice.email
        with pytest.raises(invitations.InvitationClosed, match="declined"):
            invitation_answers.accept(token=token, by=actor(UserFactory(email="ada@example.org")))


class TestExpire:
    def test_closes_only_what_is_over_and_frees_its_seat(self, invited: Invitation, monkeypatch: pytest.MonkeyPatch) -> None:
        seats = Seats()
        monkeypatch.setattr(seating, "_answers", [seats])
        invitation_answers.expire_overdue()
        assert Invitation.objects.get(pk=invited.pk).state == "pending"

        with time_machine.travel(timezone.now() + timedelta(days=7, seconds=1)):
            for _ in range(2):
                invitation_answers.expire_overdue()
            invitation_answers.expire(invitation_id=invited.pk)
        assert Invitation.objects.get(pk=invited.pk).state == "expired"
        assert seats.calls == [("release", "organizer", invited.pk)]


class TestPage:
    def test_says_what_accepting_means_before_anything_happens(self, token: str) -> None:
        answer = Client().get(f"/invitations/{token}")

        text = answer.content.decode()
        for said in (
            "Ågård Institute",
            "Organizer",
            "create and run events",
            "no seat",
            "stay yours",
            "Create an account",
            "Sign in to accept",
        ):
            assert said in text
        assert answer["X-Robots-Tag"] == "noindex, nofollow"
        assert Invitation.objects.get().state == "pending"

    def test_lets_the_invited_person_accept(self, token: str) -> None:
        ada = signed_in(UserFactory(email="ada@example.org"))
        assert "Accept" in ada.get(f"/invitations/{token}").content.decode()

        answer = ada.post(f"/invitations/{token}", {"answer": "accept"})
        assert (answer.status_code, answer["Location"]) == (302, "/organizations")
        assert Invitation.objects.get().state == "accepted"

    def test_tells_somebody_else_why_not(self, people: Personas, token: str) -> None:
        charlie = signed_in(people.charlie)
        for answer in (charlie.get(f"/invitations/{token}"), charlie.post(f"/invitations/{token}", {"answer": "accept"})):
            assert answer.status_code == 403
            assert "sent to another address" in answer.content.decode()
            assert "ada@example.org" not in answer.content.decode()
        assert Invitation.objects.get().state == "pending"

    def test_sends_somebody_new_to_sign_in_and_back(self, token: str) -> None:
        answer = Client().post(f"/invitations/{token}", {"answer": "accept"})
        assert answer["Location"] == f"/accounts/login/?next=%2Finvitations%2F{token}"

    def test_declines_without_an_account(self, token: str) -> None:
        assert "Declined" in Client().post(f"/invitations/{token}", {"answer": "decline"}).content.decode()
        assert "was declined" in Client().get(f"/invitations/{token}").content.decode()

    def test_shows_what_was_withdrawn_as_withdrawn(self, people: Personas, invited: Invitation, token: str) -> None:
        invitations.revoke(invitation_id=invited.pk, by=people.as_alice)
        answer = Client().get(f"/invitations/{token}")
        assert answer.status_code == 409
        assert "withdrawn" in answer.content.decode()

    def test_knows_no_other_link(self) -> None:
        assert Client().get("/invitations/" + "x" * 43).status_code == 404


class TestApi:
    def test_shows_and_answers_the_invitation(self, token: str) -> None:
        shown = get(Client(), f"/invitations/{token}").json()
        assert (shown["organization"], shown["role"], shown["refusal"]) == ("Ågård Institute", "organizer", None)
        assert shown["seat"]["is_counted"] is False

        ada = signed_in(UserFactory(email="ada@example.org"))
        answer = call(ada, "POST", f"/invitations/{token}", {"answer": "accept"})
        assert (answer.status_code, answer.json()["state"]) == (200, "accepted")
        assert Membership.objects.get(user__email="ada@example.org").public_id == answer.json()["membership"]
        assert code(call(ada, "POST", f"/invitations/{token}", {"answer": "decline"})) == "INVITATION_CLOSED"

    def test_refuses_strangers_nonsense_and_the_anonymous(self, people: Personas, token: str) -> None:
        charlie = signed_in(people.charlie)
        assert code(call(charlie, "POST", f"/invitations/{token}", {"answer": "accept"})) == "INVITED_AT_ANOTHER_ADDRESS"
        assert "another address" in get(charlie, f"/invitations/{token}").json()["refusal"]
        assert call(charlie, "POST", f"/invitations/{token}", {"answer": "perhaps"}).status_code == 422
        assert call(Client(), "POST", f"/invitations/{token}", {"answer": "accept"}).status_code == 401
        assert get(charlie, "/invitations/" + "x" * 43).status_code == 404
        assert Invitation.objects.get().state == "pending"
