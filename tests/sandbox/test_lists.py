"""Lists and expansion."""

import pytest
import stripe

from sandbox.stripe.server import Sandbox
from tests.sandbox.paying import booked_intent, paid_intent


class TestPages:
    def test_go_newest_first_in_both_directions(self, client: stripe.StripeClient) -> None:
        ids = [client.v1.customers.create({}).id for _ in range(5)][::-1]

        first = client.v1.customers.list({"limit": 2})
        after = client.v1.customers.list({"limit": 2, "starting_after": ids[1]})
        last = client.v1.customers.list({"limit": 2, "starting_after": ids[3]})
        before = client.v1.customers.list({"limit": 2, "ending_before": ids[3]})

        assert ([c.id for c in first.data], first.has_more) == (ids[:2], True)
        assert ([c.id for c in after.data], after.has_more) == (ids[2:4], True)
        assert ([c.id for c in last.data], last.has_more) == (ids[4:], False)
        assert ([c.id for c in before.data], before.has_more) == (ids[1:3], True)

    def test_are_walked_by_the_sdk(self, client: stripe.StripeClient) -> None:
        ids = [client.v1.customers.create({}).id for _ in range(25)]

        assert [c.id for c in client.v1.customers.list({"limit": 10}).auto_paging_iter()] == ids[::-1]

    @pytest.mark.parametrize("limit", [0, 101])
    def test_hold_one_to_a_hundred(self, client: stripe.StripeClient, limit: int) -> None:
        with pytest.raises(stripe.InvalidRequestError) as refused:
            client.v1.customers.list({"limit": limit})

        assert refused.value.param == "limit"

    def test_refuse_two_cursors(self, client: stripe.StripeClient) -> None:
        customer = client.v1.customers.create({})

        with pytest.raises(stripe.InvalidRequestError, match="only specify one"):
            client.v1.customers.list({"starting_after": customer.id, "ending_before": customer.id})

    def test_refuse_an_unknown_cursor(self, client: stripe.StripeClient) -> None:
        with pytest.raises(stripe.InvalidRequestError) as refused:
            client.v1.customers.list({"starting_after": "cus_unknown"})

        assert (refused.value.code, refused.value.param) == ("resource_missing", "starting_after")


class TestFilters:
    def test_of_time_bound_a_window(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        sandbox.control.set_clock(1_800_000_000, stopped=True)
        made = []
        for _ in range(3):
            made.append(client.v1.customers.create({}).id)
            sandbox.control.advance(100)

        window = client.v1.customers.list({"created": {"gte": 1_800_000_100, "lt": 1_800_000_200}})

        assert [c.id for c in window.data] == [made[1]]

    def test_of_balance_transactions(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        intent = booked_intent(sandbox, client)
        booked_intent(sandbox, client, 2000, "eur")
        refund = client.v1.refunds.create({"payment_intent": intent.id})

        lists = client.v1.balance_transactions
        assert [m.source for m in lists.list({"type": "refund"}).data] == [refund.id]
        assert [m.amount for m in lists.list({"currency": "eur"}).data] == [2000]
        assert [m.amount for m in lists.list({"source": intent.latest_charge}).data] == [5000]
        assert lists.list({"payout": "po_1"}).data == []
        assert len(lists.list().data) == 3

    def test_of_events_by_types(self, client: stripe.StripeClient) -> None:
        paid_intent(client)

        found = client.v1.events.list({"types": ["charge.succeeded", "payment_intent.succeeded"]})

        assert [e.type for e in found.data] == ["payment_intent.succeeded", "charge.succeeded"]
        assert client.v1.events.retrieve(found.data[0].id).type == "payment_intent.succeeded"


class TestExpand:
    def test_opens_nested_fields_and_list_items(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        intent = booked_intent(sandbox, client)
        client.v1.refunds.create({"payment_intent": intent.id, "amount": 100})

        refund = client.v1.refunds.list({"expand": ["data.charge.balance_transaction", "data.payment_intent"]}).data[0]
        charge = client.v1.charges.retrieve(intent.latest_charge, {"expand": ["refunds"]})

        assert isinstance(refund.charge, stripe.Charge)
        assert isinstance(refund.charge.balance_transaction, stripe.BalanceTransaction)
        assert isinstance(refund.payment_intent, stripe.PaymentIntent)
        assert charge.refunds is not None
        assert [r.amount for r in charge.refunds.data] == [100]

    def test_leaves_an_absent_object_absent(self, client: stripe.StripeClient) -> None:
        intent = paid_intent(client, expand=["latest_charge.balance_transaction"])

        assert intent.latest_charge.balance_transaction is None

    @pytest.mark.parametrize("path", ["colour", "latest_charge.colour", "latest_charge.balance_transaction.source.customer.metadata"])
    def test_refuses_what_cannot_be_opened_and_does_nothing(self, client: stripe.StripeClient, path: str) -> None:
        with pytest.raises(stripe.InvalidRequestError) as refused:
            paid_intent(client, expand=[path])

        assert refused.value.param == "expand"
        assert client.v1.payment_intents.list().data == []
