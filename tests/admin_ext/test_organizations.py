"""The organization's page: what is set there in words that people use."""

from typing import Any

import pytest

from organizations.models import Organization
from tests.admin_ext.conftest import People, sign_in
from tests.factories.payouts import earning_organization, requested_payout

pytestmark = pytest.mark.django_db


def page(people: People) -> str:
    return str(sign_in(people.support).get(f"/staff/organizations/organization/{people.north.public_id}/change/").content.decode())


class TestApprovalLimits:
    def test_are_amounts_of_their_currencies(self, people: People, settings: Any) -> None:
        settings.REFUND_APPROVAL_LIMITS = {"USD": 50_000, "JPY": 50_000}
        assert "the platform&#x27;s: 50,000 JPY, 500.00 USD" in page(people)
        Organization.objects.filter(pk=people.north.pk).update(refund_approval_limits={"KWD": 100_000, "USD": 0})
        assert "100.000 KWD, 0.00 USD; the platform&#x27;s: 50,000 JPY" in page(people)

    def test_say_so_where_there_are_none(self, people: People, settings: Any) -> None:
        settings.REFUND_APPROVAL_LIMITS = {}
        assert "Every refund waits for a second person" in page(people)
        assert "{}" not in page(people)


class TestEmptyFields:
    def test_have_the_same_dash_wherever_they_come_from(self, people: People) -> None:
        """Django writes a hyphen where a plain field is empty; our own columns write a dash."""
        payout = requested_payout(earning_organization(amount=50_000), 20_000)
        shown = sign_in(people.finance).get(f"/staff/billing/payoutrequest/{payout.public_id}/change/").content.decode()
        after_note = shown[shown.index("Note") :][:600]
        assert "–" in after_note
        assert ">-<" not in "".join(shown.split())
