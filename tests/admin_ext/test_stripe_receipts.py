"""Stripe's own receipt: asked for at each click, kept nowhere, shown to those who may see the payment."""

import pytest
from django.contrib.messages import get_messages
from django.db import transaction

from billing import stripe_receipts
from billing.models import Payment
from core.errors import NotFound
from core.outside_calls import OutsideCallInTransaction
from sandbox.stripe.server import Sandbox
from tests.admin_ext import making
from tests.admin_ext.conftest import People, acting, sign_in
from tests.factories.billing import payment_at_stripe
from tests.sandbox.test_pages import visit

pytestmark = [pytest.mark.django_db, pytest.mark.gap("9.3")]


@pytest.fixture
def payment(people: People, sandbox: Sandbox) -> Payment:
    return payment_at_stripe(sandbox, organization=people.north)


def address(prefix: str, payment: Payment) -> str:
    return f"/{prefix}/billing/payment/{payment.public_id}/stripe-receipt/"


@pytest.mark.parametrize(("prefix", "who"), [("staff", "finance"), ("console", "alice"), ("console", "bob")])
class TestForThoseWhoMaySee:
    def test_is_one_click_from_the_payment_and_fresh_at_each(
        self, people: People, payment: Payment, sandbox: Sandbox, prefix: str, who: str
    ) -> None:
        client, asked = sign_in(getattr(people, who)), len(charges_asked(sandbox))
        page = client.get(f"/{prefix}/billing/payment/{payment.public_id}/change/").content.decode()
        assert f'href="{address(prefix, payment)}"' in page
        assert len(charges_asked(sandbox)) == asked

        first = client.get(address(prefix, payment))
        assert first.status_code == 302
        assert "Paid: 50.00" in visit(sandbox, first.headers["Location"])[1]
        charge = sandbox.world.store.get("charge", payment.stripe_charge_id or "")
        charge["receipt_url"] += "?moved"
        sandbox.world.store.save(charge)
        assert client.get(address(prefix, payment)).headers["Location"] == f"{first.headers['Location']}?moved"
        assert len(charges_asked(sandbox)) == asked + 2


class TestForOthers:
    def test_is_absent(self, people: People, payment: Payment) -> None:
        assert sign_in(people.charlie).get(address("console", payment)).status_code == 404
        with pytest.raises(NotFound):
            stripe_receipts.url(payment_id=payment.pk, by=acting(people.charlie))


class TestWithoutOne:
    def test_says_that_stripe_does_not_answer(self, people: People, payment: Payment, sandbox: Sandbox) -> None:
        sandbox.control.fault("reset_before", method="GET", path=f"/v1/charges/{payment.stripe_charge_id}")
        answer = sign_in(people.alice).get(address("console", payment))
        assert answer.headers["Location"] == f"/console/billing/payment/{payment.public_id}/change/"
        assert [str(one) for one in get_messages(answer.wsgi_request)] == [
            "Stripe does not answer just now, so nothing was shown and nothing was done; try again in a moment."
        ]

    def test_says_that_there_is_none_before_the_money(self, people: People, sandbox: Sandbox) -> None:
        unpaid = making.payment(people.north, paid=False)
        client = sign_in(people.alice)
        assert "stripe-receipt" not in client.get(f"/console/billing/payment/{unpaid.public_id}/change/").content.decode()
        assert "Stripe has no receipt" in client.get(address("console", unpaid), follow=True).content.decode()

    def test_says_so_of_a_charge_that_stripe_does_not_know_or_that_failed(self, people: People, payment: Payment, sandbox: Sandbox) -> None:
        charge = sandbox.world.store.get("charge", payment.stripe_charge_id or "")
        charge["receipt_url"] = None
        sandbox.world.store.save(charge)
        for one in (payment, making.payment(people.north)):
            with pytest.raises(stripe_receipts.NoReceiptAtStripe):
                stripe_receipts.url(payment_id=one.pk, by=acting(people.finance))

    def test_is_never_asked_for_inside_a_transaction(self, people: People, payment: Payment) -> None:
        with transaction.atomic(), pytest.raises(OutsideCallInTransaction):
            stripe_receipts.url(payment_id=payment.pk, by=acting(people.finance))


def charges_asked(sandbox: Sandbox) -> list[object]:
    return list(sandbox.control.requests(method="GET", path="/v1/charges"))
