"""Products and prices of the stand-in: what Stripe would take, and what it would refuse."""

from typing import Any

import pytest
import stripe

from sandbox.stripe.server import Sandbox

_MONTHLY: dict[str, Any] = {"currency": "usd", "unit_amount": 4900, "recurring": {"interval": "month"}}


class TestProducts:
    def test_are_made_under_an_id_of_ones_own_once(self, client: stripe.StripeClient) -> None:
        made = client.v1.products.create({"id": "pln_1", "name": "Solo", "metadata": {"code": "solo"}})
        assert (made.id, made.active, made.metadata.to_dict()) == ("pln_1", True, {"code": "solo"})

        with pytest.raises(stripe.InvalidRequestError) as refused:
            client.v1.products.create({"id": "pln_1", "name": "Solo"})

        assert refused.value.code == "resource_already_exists"
        assert [each.id for each in client.v1.products.list().data] == ["pln_1"]

    def test_are_changed_and_found_by_whether_they_are_active(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        made = client.v1.products.create({"name": "Solo"}).id
        changed = client.v1.products.update(made, {"name": "Solo plus", "active": False, "metadata": {"a": "1"}})
        assert (changed.name, changed.active) == ("Solo plus", False)
        assert client.v1.products.list({"active": True}).data == []
        assert client.v1.products.retrieve(made).metadata.to_dict() == {"a": "1"}
        with sandbox.world.lock:
            kinds = [event["type"] for event in sandbox.world.store.select("event", newest_first=False)]
        assert kinds == ["product.created", "product.updated"]


class TestPrices:
    def test_belong_to_a_product_and_are_found_by_their_key(self, client: stripe.StripeClient) -> None:
        product = client.v1.products.create({"name": "Solo"}).id
        made = client.v1.prices.create({"product": product, "lookup_key": "prc_1", **_MONTHLY})
        client.v1.prices.create({"product": product, **_MONTHLY})

        assert [each.id for each in client.v1.prices.list({"lookup_keys": ["prc_1"]}).data] == [made.id]
        assert len(client.v1.prices.list({"product": product}).data) == 2
        assert client.v1.prices.retrieve(made.id).recurring is not None

    def test_are_put_away_but_never_changed(self, client: stripe.StripeClient) -> None:
        product = client.v1.products.create({"name": "Solo"}).id
        made = client.v1.prices.create({"product": product, **_MONTHLY}).id
        assert client.v1.prices.update(made, {"active": False}).active is False

        cheaper: Any = {"unit_amount": 1}
        with pytest.raises(stripe.InvalidRequestError) as refused:
            client.v1.prices.update(made, cheaper)

        assert refused.value.code == "parameter_unknown"

    def test_take_a_lookup_key_only_from_nobody_or_by_name(self, client: stripe.StripeClient) -> None:
        product = client.v1.products.create({"name": "Solo"}).id
        first = client.v1.prices.create({"product": product, "lookup_key": "k", **_MONTHLY}).id
        with pytest.raises(stripe.InvalidRequestError):
            client.v1.prices.create({"product": product, "lookup_key": "k", **_MONTHLY})

        second = client.v1.prices.create({"product": product, "lookup_key": "k", "transfer_lookup_key": True, **_MONTHLY}).id

        assert client.v1.prices.retrieve(first).lookup_key is None
        assert client.v1.prices.list({"lookup_keys": ["k"]}).data[0].id == second
