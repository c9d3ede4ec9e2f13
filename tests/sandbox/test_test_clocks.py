"""Test clocks of the stand-in: a customer's own time, which moves when it is told to, and moves nobody else's."""

from typing import Any

import pytest
import stripe

from sandbox.stripe.server import Sandbox
from tests.sandbox.test_subscriptions import DAY, invoices, price, types

BEGAN = 1_800_000_000  # 15 January 2027


def clocked(client: stripe.StripeClient, at: int = BEGAN) -> tuple[str, str]:
    """(clock, customer)."""
    clock = client.v1.test_helpers.test_clocks.create({"frozen_time": at, "name": "A year"})
    assert (clock.status, clock.frozen_time) == ("ready", at)
    customer = client.v1.customers.create({"test_clock": clock.id})
    assert customer.test_clock == clock.id
    return clock.id, customer.id


def subscribe(client: stripe.StripeClient, customer: str, **more: Any) -> stripe.Subscription:
    given: Any = {"customer": customer, "items": [{"price": price(client)}], "default_payment_method": "pm_card_visa", **more}
    return client.v1.subscriptions.create(given)


class TestAdvancing:
    def test_does_what_is_due_in_its_order_and_time(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        clock, customer = clocked(client)
        made = subscribe(client, customer, trial_end=BEGAN + 10 * DAY)
        assert (made.status, made.test_clock, made.start_date) == ("trialing", clock, BEGAN)

        answer = client.v1.test_helpers.test_clocks.advance(clock, {"frozen_time": BEGAN + 75 * DAY})

        assert (answer.status, client.v1.test_helpers.test_clocks.retrieve(clock).status) == ("advancing", "ready")
        found = invoices(client, made.id)
        assert [one.created for one in found] == [BEGAN + days * DAY for days in (69, 41, 10, 0)]
        assert {one.test_clock for one in found} == {clock}
        assert "customer.subscription.trial_will_end" in types(sandbox)
        assert [one for one in types(sandbox) if one.startswith("test_helpers")] == [
            f"test_helpers.test_clock.{name}" for name in ("created", "advancing", "ready")
        ]

    def test_moves_nobody_elses_time(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        clock, customer = clocked(client)
        theirs = subscribe(client, customer)
        other = subscribe(client, client.v1.customers.create({"email": "b@example.org"}).id)
        sandbox.control.advance(40 * DAY)
        assert [len(invoices(client, one.id)) for one in (theirs, other)] == [1, 2]
        client.v1.test_helpers.test_clocks.advance(clock, {"frozen_time": BEGAN + 40 * DAY})
        assert [len(invoices(client, one.id)) for one in (theirs, other)] == [2, 2]

    def test_changes_and_cancels_at_its_own_time(self, client: stripe.StripeClient) -> None:
        clock, customer = clocked(client)
        made = subscribe(client, customer)
        client.v1.test_helpers.test_clocks.advance(clock, {"frozen_time": BEGAN + 5 * DAY})
        assert client.v1.subscriptions.update(made.id, {"cancel_at_period_end": True}).canceled_at == BEGAN + 5 * DAY
        assert client.v1.subscriptions.cancel(made.id).ended_at == BEGAN + 5 * DAY

    def test_goes_forward_only(self, client: stripe.StripeClient) -> None:
        clock, _ = clocked(client)
        with pytest.raises(stripe.InvalidRequestError):
            client.v1.test_helpers.test_clocks.advance(clock, {"frozen_time": BEGAN})
        with pytest.raises(stripe.InvalidRequestError):
            client.v1.customers.create({"test_clock": "clock_gone"})


class TestDeleting:
    def test_takes_its_customers_along(self, client: stripe.StripeClient) -> None:
        clock, customer = clocked(client)
        made = subscribe(client, customer)
        assert [one.id for one in client.v1.test_helpers.test_clocks.list().data] == [clock]
        assert client.v1.test_helpers.test_clocks.delete(clock).deleted
        assert client.v1.customers.retrieve(customer).deleted
        assert client.v1.subscriptions.retrieve(made.id).status == "canceled"
