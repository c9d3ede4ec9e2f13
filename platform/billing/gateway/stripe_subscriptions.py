"""What the gateway asks of Stripe about plans: products and their prices."""

from collections.abc import Callable
from typing import Any

import stripe

from billing.gateway.base import GatewayPrice, GatewayProduct


def price(found: Any) -> GatewayPrice:
    return GatewayPrice(
        id=found.id,
        product_id=found.product if isinstance(found.product, str) else found.product.id,
        amount=found.unit_amount or 0,
        currency=found.currency.upper(),
        interval=found.recurring.interval if found.recurring else "",
        is_active=bool(found.active),
    )


class StripeSubscriptions:
    """Mixed into the gateway, which has the client and the translation of errors."""

    client: stripe.StripeClient
    _ask: Callable[[Callable[[], Any]], Any]

    def create_product(self, parameters: dict[str, Any], *, key: str) -> GatewayProduct:
        params: Any = parameters
        return GatewayProduct(self._ask(lambda: self.client.v1.products.create(params, {"idempotency_key": key})).id)

    def update_product(self, product_id: str, parameters: dict[str, Any], *, key: str) -> GatewayProduct:
        params: Any = parameters
        return GatewayProduct(self._ask(lambda: self.client.v1.products.update(product_id, params, {"idempotency_key": key})).id)

    def create_price(self, parameters: dict[str, Any], *, key: str) -> GatewayPrice:
        params: Any = parameters
        return price(self._ask(lambda: self.client.v1.prices.create(params, {"idempotency_key": key})))

    def update_price(self, price_id: str, parameters: dict[str, Any], *, key: str) -> GatewayPrice:
        params: Any = parameters
        return price(self._ask(lambda: self.client.v1.prices.update(price_id, params, {"idempotency_key": key})))

    def price_with(self, lookup_key: str) -> GatewayPrice | None:
        found = self._ask(lambda: self.client.v1.prices.list({"lookup_keys": [lookup_key], "limit": 1})).data
        return price(found[0]) if found else None
