"""Two people at once about who works for an organization."""

from typing import Any

import pytest

from organizations import invitation_answers, invitation_links, invitations, members
from organizations.models import Invitation, Membership
from tests.factories.people import UserFactory, actor, personas

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.gap("7.1")]


def test_two_admins_who_remove_each_other_leave_one(race: Any) -> None:
    people = personas(payouts_usable=False)
    Membership.objects.filter(user=people.bob).update(role="admin")
    alice, bob = (Membership.objects.get(user=user) for user in (people.alice, people.bob))
    by, other = (actor(people.alice), actor(people.bob)), (bob.pk, alice.pk)

    found = race(2, lambda number: members.remove(membership_id=other[number], by=by[number]))

    assert sum(isinstance(one, Membership) for one in found) == 1
    assert Membership.objects.filter(organization=people.organization, role="admin", ended_at=None).count() == 1


def test_nor_do_two_who_leave_or_write_past_the_operations(race: Any) -> None:
    people = personas(payouts_usable=False)
    Membership.objects.filter(user=people.bob).update(role="admin")
    keys = [Membership.objects.get(user=user).pk for user in (people.alice, people.bob)]

    found = race(2, lambda number: Membership.objects.filter(pk=keys[number]).update(role="instructor"))

    assert [one for one in found if isinstance(one, Exception)]
    assert Membership.objects.filter(organization=people.organization, role="admin", ended_at=None).count() == 1


@pytest.mark.gap("2.3")
def test_two_who_accept_one_invitation_make_one_member(race: Any) -> None:
    people = personas(payouts_usable=False)
    made = invitations.invite(organization_id=people.organization.pk, email="ada@example.org", role="organizer", by=people.as_alice)
    ada, token = actor(UserFactory(email="ada@example.org")), invitation_links.token(made)

    found = race(4, lambda number: invitation_answers.accept(token=token, by=ada))

    assert sum(isinstance(one, Membership) for one in found) == 1
    assert all(isinstance(one, (Membership, invitations.InvitationClosed)) for one in found)
    assert Membership.objects.filter(user_id=ada.user_id).count() == 1


@pytest.mark.gap("7.3")
def test_an_answer_and_a_revocation_meet_one_after_the_other(race: Any) -> None:
    people = personas(payouts_usable=False)
    made = invitations.invite(organization_id=people.organization.pk, email="ada@example.org", role="organizer", by=people.as_alice)
    ada, token = actor(UserFactory(email="ada@example.org")), invitation_links.token(made)
    calls = (
        lambda: invitation_answers.accept(token=token, by=ada),
        lambda: invitations.revoke(invitation_id=made.pk, by=people.as_alice),
    )

    found = race(2, lambda number: calls[number]())

    assert sum(isinstance(one, invitations.InvitationClosed) for one in found) == 1
    accepted = Invitation.objects.get(pk=made.pk).state == "accepted"
    assert Membership.objects.filter(user_id=ada.user_id).exists() is accepted


def test_two_invitations_to_one_address_make_one(race: Any) -> None:
    people = personas(payouts_usable=False)
    by = people.as_alice

    found = race(
        3, lambda number: invitations.invite(organization_id=people.organization.pk, email="ada@example.org", role="instructor", by=by)
    )

    assert sum(isinstance(one, Invitation) for one in found) == 1
    assert sum(isinstance(one, invitations.AlreadyInvited) for one in found) == 2
