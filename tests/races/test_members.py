"""Two people at once about who works for an organization."""

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from audit.models import AuditEntry
from core.errors import InvalidInput, NotFound, PermissionRefused
from events import authoring, publishing
from events.models import Event
from organizations import admin_offers, closing, invitation_answers, invitation_links, invitations, members
from organizations.models import AdminOffer, Invitation, Membership, OrganizationClosing
from tests.admin_ext import making
from tests.factories.people import UserFactory, actor, personas
from tests.races.waiting import somebody_waits_for_us

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.gap("7.1")]


@pytest.fixture
def waits_behind(race: Any) -> Callable[[Callable[[], Any], Callable[[], Any]], Any]:
    """waits_behind(first, second): first is done and commits only once second waits for it; what became of second."""

    def run(first: Callable[[], Any], second: Callable[[], Any]) -> Any:
        done = threading.Event()

        def ahead() -> None:
            with transaction.atomic():
                first()
                done.set()
                until = time.monotonic() + 20
                while not somebody_waits_for_us():
                    assert time.monotonic() < until, "nobody waited"
                    time.sleep(0.01)

        def behind() -> Any:
            assert done.wait(timeout=30)
            return second()

        calls = (ahead, behind)
        before, after = race(2, lambda number: calls[number]())
        assert before is None, before
        return after

    return run


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


def test_nor_do_two_who_take_the_role_from_each_other(race: Any) -> None:
    people = personas(payouts_usable=False)
    Membership.objects.filter(user=people.bob).update(role="admin")
    alice, bob = (Membership.objects.get(user=user) for user in (people.alice, people.bob))
    by, other = (actor(people.alice), actor(people.bob)), (bob.pk, alice.pk)

    found = race(2, lambda number: members.change_role(membership_id=other[number], role="organizer", by=by[number]))

    assert sum(isinstance(one, Membership) for one in found) == 1
    assert sum(isinstance(one, PermissionRefused) for one in found) == 1
    assert Membership.objects.filter(organization=people.organization, role="admin", ended_at=None).count() == 1


@pytest.mark.gap("7.2")
def test_who_leaves_while_being_removed_goes_once(race: Any) -> None:
    people = personas(payouts_usable=False)
    bob = Membership.objects.get(user=people.bob)
    calls = (
        lambda: members.remove(membership_id=bob.pk, by=people.as_alice),
        lambda: members.leave(organization_id=people.organization.pk, by=people.as_bob),
    )

    found = race(2, lambda number: calls[number]())

    assert sum(isinstance(one, Membership) for one in found) == 1
    assert sum(isinstance(one, (members.MembershipEnded, NotFound)) for one in found) == 1
    assert AuditEntry.objects.filter(object_id=bob.pk, action__in=["membership.removed", "membership.left"]).count() == 1


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


@pytest.mark.gap("2.3")
def test_two_accounts_that_accept_one_invitation_leave_it_with_whom_it_is_for(race: Any) -> None:
    people = personas(payouts_usable=False)
    made = invitations.invite(organization_id=people.organization.pk, email="ada@example.org", role="organizer", by=people.as_alice)
    ada, thief, token = actor(UserFactory(email="ada@example.org")), actor(UserFactory()), invitation_links.token(made)

    found = race(4, lambda number: invitation_answers.accept(token=token, by=(ada, thief)[number % 2]))

    assert sum(isinstance(one, Membership) for one in found) == 1
    refused = (invitation_answers.InvitedAtAnotherAddress, invitations.InvitationClosed)
    assert all(isinstance(one, refused) for one in (found[1], found[3]))
    assert not Membership.objects.filter(user_id=thief.user_id).exists()


def test_an_offer_that_is_accepted_twice_passes_the_role_on_once(race: Any) -> None:
    people = personas(payouts_usable=False)
    bob = Membership.objects.get(user=people.bob)
    made = admin_offers.offer(membership_id=bob.pk, becomes="organizer", by=people.as_alice)

    found = race(3, lambda number: admin_offers.accept(offer_id=made.pk, by=people.as_bob))

    assert sum(isinstance(one, AdminOffer) for one in found) == 1
    assert sum(isinstance(one, admin_offers.OfferClosed) for one in found) == 2
    roles = dict(Membership.objects.filter(organization=people.organization, ended_at=None).values_list("user_id", "role"))
    assert (roles[people.bob.pk], roles[people.alice.pk]) == ("admin", "organizer")
    assert AuditEntry.objects.filter(action="membership.role_changed").count() == 2


def test_an_offer_is_not_accepted_by_somebody_who_is_removed_meanwhile(race: Any) -> None:
    people = personas(payouts_usable=False)
    bob = Membership.objects.get(user=people.bob)
    made = admin_offers.offer(membership_id=bob.pk, by=people.as_alice)
    calls = (
        lambda: admin_offers.accept(offer_id=made.pk, by=people.as_bob),
        lambda: members.remove(membership_id=bob.pk, by=people.as_alice),
    )

    race(2, lambda number: calls[number]())

    after = Membership.objects.get(pk=bob.pk)
    state = AdminOffer.objects.get(pk=made.pk).state
    assert after.ended_at is not None
    assert (state, after.role) in {("accepted", "admin"), ("withdrawn", "organizer")}


def test_an_acceptance_that_waited_for_the_removal_is_refused(waits_behind: Any) -> None:
    """The offer was looked for before the removal, and is looked at again once the organization's row is free."""
    people = personas(payouts_usable=False)
    bob = Membership.objects.get(user=people.bob)
    made = admin_offers.offer(membership_id=bob.pk, by=people.as_alice)

    refused = waits_behind(
        lambda: members.remove(membership_id=bob.pk, by=people.as_alice),
        lambda: admin_offers.accept(offer_id=made.pk, by=people.as_bob),
    )

    assert isinstance(refused, NotFound)
    assert Membership.objects.get(pk=bob.pk).role == "organizer"


@pytest.mark.gap("7.2")
def test_who_is_removed_hosts_nothing_that_was_made_meanwhile(waits_behind: Any) -> None:
    people = personas(payouts_usable=False)
    bob, starts = Membership.objects.get(user=people.bob), timezone.now() + timedelta(days=9)
    values = {"title": "New", "starts_at": starts, "ends_at": starts + timedelta(hours=1), "capacity": 9, "host_id": people.bob.pk}

    refused = waits_behind(
        lambda: members.remove(membership_id=bob.pk, by=people.as_alice),
        lambda: authoring.create(organization_id=people.organization.pk, by=people.as_alice, **values),
    )

    assert isinstance(refused, InvalidInput)
    assert not Event.objects.exists()


@pytest.mark.gap("7.4")
def test_nothing_is_published_in_an_organization_that_is_closed_meanwhile(waits_behind: Any) -> None:
    people = personas()
    event = making.event(people.organization, people.alice, published=False)

    refused = waits_behind(
        lambda: closing.close(organization_id=people.organization.pk, confirmation=people.organization.name, by=people.as_alice),
        lambda: publishing.publish(event_id=event.pk, by=people.as_alice),
    )

    assert isinstance(refused, NotFound)
    assert Event.objects.get(pk=event.pk).state == "draft"


@pytest.mark.gap("7.4")
def test_nobody_is_invited_to_an_organization_that_is_closed_meanwhile(waits_behind: Any) -> None:
    people = personas(payouts_usable=False)

    refused = waits_behind(
        lambda: closing.close(organization_id=people.organization.pk, confirmation=people.organization.name, by=people.as_alice),
        lambda: invitations.invite(
            organization_id=people.organization.pk, email="ada@example.org", role="organizer", by=actor(people.alice)
        ),
    )

    assert isinstance(refused, NotFound)
    assert not Invitation.objects.exists()


@pytest.mark.gap("7.4")
def test_closing_takes_back_the_invitation_that_it_waited_for(waits_behind: Any) -> None:
    people = personas(payouts_usable=False)

    closed = waits_behind(
        lambda: invitations.invite(organization_id=people.organization.pk, email="ada@example.org", role="organizer", by=people.as_alice),
        lambda: closing.close(organization_id=people.organization.pk, confirmation=people.organization.name, by=people.as_alice),
    )

    assert isinstance(closed, OrganizationClosing)
    assert Invitation.objects.get().state == "revoked"


@pytest.mark.gap("7.4")
def test_nobody_joins_an_organization_that_is_closed_meanwhile(waits_behind: Any) -> None:
    people = personas(payouts_usable=False)
    made = invitations.invite(organization_id=people.organization.pk, email="ada@example.org", role="admin", by=people.as_alice)
    ada, token = actor(UserFactory(email="ada@example.org")), invitation_links.token(made)

    refused = waits_behind(
        lambda: closing.close(organization_id=people.organization.pk, confirmation=people.organization.name, by=people.as_alice),
        lambda: invitation_answers.accept(token=token, by=ada),
    )

    assert isinstance(refused, (NotFound, invitations.InvitationClosed))
    assert not Membership.objects.filter(user_id=ada.user_id).exists()
