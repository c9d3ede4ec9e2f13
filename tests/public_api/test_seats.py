"""Seats by the API: what there is and costs, the refusal with its price, and consent."""

from typing import Any

import pytest

from billing.models import SeatAccount
from organizations.models import Invitation, Membership
from tests.factories.people import Personas, personas
from tests.factories.plans import subscription
from tests.public_api.calling import call, code, get, post, signed_in

pytestmark = [pytest.mark.django_db, pytest.mark.gap("3.2")]


@pytest.fixture
def people() -> Personas:
    return personas()


@pytest.fixture
def address(people: Personas, settings: Any) -> str:
    """Alice and Bob: one is included, the other's seat is billed."""
    settings.SECOND_FACTOR_REQUIRED = False  # tests of the operations ask for it
    subscription(people.organization)
    SeatAccount.objects.filter(organization=people.organization).update(given=0, used=2, number=1)
    return f"/organizations/{people.organization.public_id}"


class TestSeats:
    def test_are_refused_with_their_price_and_bought_with_consent(self, people: Personas, address: str) -> None:
        alice, asked = signed_in(people.alice), {"email": "ada@example.org", "role": "organizer"}
        refused = post(alice, f"{address}/invitations", asked)
        details = refused.json()["error"]["details"]
        assert (refused.status_code, code(refused)) == (402, "SEAT_LIMIT_REACHED")
        assert (details["used"], details["included"], details["bought"], details["price"]["amount"]) == (2, 1, 1, 12_900)
        assert not Invitation.objects.exists()
        assert SeatAccount.objects.get(organization=people.organization).number == 1
        assert post(alice, f"{address}/invitations", {**asked, "buy_seat": True}).status_code == 201
        assert SeatAccount.objects.get(organization=people.organization).number == 2

    def test_of_a_new_role_are_refused_and_bought_alike(self, people: Personas, address: str) -> None:
        bob = Membership.objects.get(user=people.bob)
        alice, one = signed_in(people.alice), f"{address}/members/{bob.public_id}"
        assert call(alice, "PATCH", one, {"role": "instructor"}).status_code == 200
        assert SeatAccount.objects.get(organization=people.organization).number == 0
        assert code(call(alice, "PATCH", one, {"role": "organizer"})) == "SEAT_LIMIT_REACHED"
        assert Membership.objects.get(user=people.bob).role == "instructor"
        assert call(alice, "PATCH", one, {"role": "organizer", "buy_seat": True}).status_code == 200
        assert SeatAccount.objects.get(organization=people.organization).number == 1

    def test_are_the_admins_business(self, people: Personas, address: str) -> None:
        assert get(signed_in(people.bob), f"{address}/seats").status_code == 403
        assert get(signed_in(people.charlie), f"{address}/seats").status_code == 404
