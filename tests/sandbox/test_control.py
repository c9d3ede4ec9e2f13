"""The control API's own rules: clock, settings, reset, refusals."""

import urllib.error
import urllib.request

import pytest
import stripe

from sandbox.stripe.control import ControlRefused
from sandbox.stripe.server import Sandbox
from tests.sandbox.paying import booked_intent, paid_intent


class TestClock:
    def test_runs_on_from_where_it_is_set(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        sandbox.control.set_clock(1_900_000_000)

        assert 0 <= sandbox.control.now() - 1_900_000_000 < 60
        assert abs(client.v1.customers.create({}).created - 1_900_000_000) < 60

    def test_stands_still_when_stopped_and_moves_by_hand(self, sandbox: Sandbox) -> None:
        sandbox.control.set_clock(1_900_000_000, stopped=True)
        sandbox.control.advance(90)

        assert sandbox.control.now() == 1_900_000_090

    def test_does_what_became_due_in_its_order(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        first, second = paid_intent(client), paid_intent(client, 6000)

        sandbox.control.advance(5)

        booked = [m.source for m in client.v1.balance_transactions.list().data][::-1]
        assert booked == [first.latest_charge, second.latest_charge]


class TestReset:
    def test_forgets_everything_and_begins_the_ids_anew(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        first = client.v1.customers.create({})
        booked_intent(sandbox, client)
        sandbox.control.settings(refunds_wait_for_balance=True)
        sandbox.control.fault("rate_limit", count=9)

        sandbox.control.reset()

        assert sandbox.control.requests() == []
        assert client.v1.customers.list().data == []
        assert client.v1.balance.retrieve().available[0].to_dict()["amount"] == 0
        assert sandbox.control.settings()["refunds_wait_for_balance"] is False
        assert client.v1.customers.create({}).id == first.id


class TestRefusals:
    @pytest.mark.parametrize(
        ("method", "path", "body", "message"),
        [
            ("POST", "/settings", {"colour": "red"}, "There is no setting colour"),
            ("POST", "/webhooks/mode", {"mode": "pigeon"}, "Invalid mode"),
            ("POST", "/refunds/next", {"outcomes": ["maybe"]}, "Invalid outcome"),
            ("POST", "/refunds/re_1/settle", {}, "No such refund"),
            ("POST", "/nothing", {}, "Unrecognized request URL"),
            ("GET", "/nothing/at/all/here", None, "Unrecognized request URL"),
            ("POST", "/disputes", {"charge": "ch_unknown"}, "No such charge"),
        ],
    )
    def test_say_what_is_wrong(self, sandbox: Sandbox, method: str, path: str, body: object, message: str) -> None:
        with pytest.raises(ControlRefused, match=message):
            sandbox.control.call(method, path, body)

    def test_name_a_body_that_is_not_json(self, sandbox: Sandbox) -> None:
        request = urllib.request.Request(f"{sandbox.url}/_sandbox/reset", method="POST", data=b"{")  # noqa: S310
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request)  # noqa: S310

        assert refused.value.code == 400
        refused.value.close()

    def test_leave_a_settled_refund_as_it_is(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        refund = client.v1.refunds.create({"payment_intent": booked_intent(sandbox, client).id})

        with pytest.raises(ControlRefused, match="status of succeeded"):
            sandbox.control.settle_refund(refund.id)
        sandbox.control.fail_refund(refund.id)
        with pytest.raises(ControlRefused, match="status of failed"):
            sandbox.control.fail_refund(refund.id)

    def test_leave_an_intent_that_asks_nothing_as_it_is(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        with pytest.raises(ControlRefused, match="status of succeeded"):
            sandbox.control.answer_challenge(paid_intent(client).id, passed=True)


class TestFaults:
    def test_are_listed(self, sandbox: Sandbox) -> None:
        sandbox.control.fault("slow", seconds=1, count=3)

        assert [f["kind"] for f in sandbox.control.call("GET", "/faults")["data"]] == ["slow"]
