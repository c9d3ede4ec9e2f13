"""Many want the last seat at once: exactly one has it, and what is billed is what is used."""

from collections.abc import Callable
from typing import Any

import pytest

from billing import seat_standing, seats
from billing.models import SeatAccount
from organizations import invitations
from organizations.models import Invitation
from tests.factories.people import personas
from tests.factories.plans import subscription

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.gap("3.2"), pytest.mark.gap("5.3")]
type Race = Callable[[int, Callable[[int], Any]], list[Any]]
AT_ONCE = 20


class TestInvitingAtOnce:
    def invite(self, race: Race, *, bought: int, buy: bool) -> tuple[Any, list[Any]]:
        people = personas()  # Alice and Bob: one is included, the other has a bought seat
        subscription(people.organization)
        account = {"given": 0, "bought": bought, "number": bought, "used": 2}
        SeatAccount.objects.update_or_create(organization=people.organization, defaults=account)

        def one(number: int) -> Invitation:
            by, email = people.as_alice, f"asked-{number}@example.org"
            return invitations.invite(organization_id=people.organization.pk, email=email, role="organizer", by=by, buy_seat=buy)

        return people.organization, race(AT_ONCE, one)

    def test_for_the_last_seat_leaves_one_with_it(self, race: Race) -> None:
        organization, results = self.invite(race, bought=2, buy=False)

        assert [type(each) for each in results].count(Invitation) == 1
        assert [type(each) for each in results].count(seats.SeatLimitReached) == AT_ONCE - 1
        row = SeatAccount.objects.get(organization=organization)
        assert (Invitation.objects.count(), row.used, row.number) == (1, 3, 2)

    def test_with_consent_buys_one_for_each(self, race: Race) -> None:
        organization, results = self.invite(race, bought=1, buy=True)

        assert {type(each) for each in results} == {Invitation}
        row = SeatAccount.objects.get(organization=organization)
        assert (row.used, row.number, seat_standing.count(organization.pk)) == (AT_ONCE + 2, AT_ONCE + 1, AT_ONCE + 2)
