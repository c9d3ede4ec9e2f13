"""What the gateway asks of Stripe about plans: products, prices, customers and their subscriptions."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

from billing.gateway.plans import GatewayCard, GatewayCustomer, GatewayInvoice, GatewayPrice, GatewayProduct, GatewaySubscription


def price(found: Any) -> GatewayPrice:
    return GatewayPrice(
        id=found.id,
        product_id=found.product if isinstance(found.product, str) else found.product.id,
        amount=found.unit_amount or 0,
        currency=found.currency.upper(),
        interval=found.recurring.interval if found.recurring else "",
        is_active=bool(found.active),
    )


def subscription(found: Any) -> GatewaySubscription:
    items = found["items"].data  # by key: a subscription is a mapping, and `.items` its method
    return GatewaySubscription(
        id=found.id,
        status=found.status,
        customer_id=found.customer if isinstance(found.customer, str) else found.customer.id,
        price_ids=tuple(item.price.id for item in items),
        period_starts_at=datetime.fromtimestamp(min(item.current_period_start for item in items), UTC),
        period_ends_at=datetime.fromtimestamp(max(item.current_period_end for item in items), UTC),
        trial_ends_at=_moment(found.trial_end),
        cancel_at_period_end=bool(found.cancel_at_period_end),
        canceled_at=_moment(found.canceled_at),
        ended_at=_moment(found.ended_at),
        item_ids=tuple(item.id for item in items),
        quantities=tuple(item.quantity or 0 for item in items),
    )


def invoice(found: Any) -> GatewayInvoice:
    payments = found.payments.data if getattr(found, "payments", None) else []
    paid, tried = ([one.payment for one in payments if one.status == status] for status in ("paid", "open"))
    lines = found.lines.data
    return GatewayInvoice(
        id=found.id,
        number=found.number or "",
        status=found.status or "draft",
        customer_id=found.customer if isinstance(found.customer, str) else found.customer.id,
        billing_reason=found.billing_reason or "",
        total=found.total,
        amount_due=found.amount_due,
        amount_paid=found.amount_paid,
        tax=sum(tax.amount for tax in found.total_taxes or ()),
        currency=found.currency.upper(),
        issued_at=datetime.fromtimestamp(found.created, UTC),
        paid_at=_moment(found.status_transitions.paid_at),
        payment_intent_id=paid[0].payment_intent if paid else None,
        pdf_url=found.invoice_pdf or "",
        page_url=found.hosted_invoice_url or "",
        period_starts_at=datetime.fromtimestamp(min([line.period.start for line in lines], default=found.period_start), UTC),
        period_ends_at=datetime.fromtimestamp(max([line.period.end for line in lines], default=found.period_end), UTC),
        attempts=found.attempt_count if found.attempted else 0,
        next_attempt_at=_moment(found.next_payment_attempt),
        open_intent_id=tried[0].payment_intent if tried else None,
    )


def _is_proration(line: Any) -> bool:
    details = line.parent.subscription_item_details if line.parent else None
    return bool(details and details.proration)


def card(found: Any) -> GatewayCard | None:
    """What pays: the card of a subscription that is live, else the customer's; None where there is none, or the customer is gone."""
    if getattr(found, "deleted", False):
        return None
    own = [one.default_payment_method for one in found.subscriptions.data if one.default_payment_method]
    method = own[0] if own else found.invoice_settings.default_payment_method
    if not method or method.type != "card":
        return None
    return GatewayCard(method.id, method.card.brand, method.card.last4, method.card.exp_year, method.card.exp_month)


def _moment(seconds: int | None) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if seconds is not None else None


class StripeSubscriptions:
    """Mixed into the gateway, which has the client and the translation of errors."""

    client: Any  # the library's, which stripe_gateway alone imports
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

    def create_customer(self, parameters: dict[str, Any], *, key: str) -> GatewayCustomer:
        params: Any = parameters
        return GatewayCustomer(self._ask(lambda: self.client.v1.customers.create(params, {"idempotency_key": key})).id)

    def card_of(self, customer_id: str) -> GatewayCard | None:
        expand = {"expand": ["invoice_settings.default_payment_method", "subscriptions.data.default_payment_method"]}
        return card(self._ask(lambda: self.client.v1.customers.retrieve(customer_id, expand)))

    def expire_open_pages(self, customer_id: str) -> None:
        found = self._ask(lambda: self.client.v1.checkout.sessions.list({"customer": customer_id, "status": "open", "limit": 100}))
        for page in found.data:
            self._ask(partial(self.client.v1.checkout.sessions.expire, page.id, {}, {"idempotency_key": f"expire-{page.id}"}))

    def create_portal_session(self, parameters: dict[str, Any], *, key: str) -> str:
        params: Any = parameters
        return str(self._ask(lambda: self.client.v1.billing_portal.sessions.create(params, {"idempotency_key": key})).url)

    def subscriptions_of(self, customer_id: str) -> list[GatewaySubscription]:
        return [subscription(found) for found in self._ask(lambda: self.client.v1.subscriptions.list({"customer": customer_id})).data]

    def retrieve_subscription(self, subscription_id: str) -> GatewaySubscription:
        return subscription(self._ask(lambda: self.client.v1.subscriptions.retrieve(subscription_id)))

    def update_subscription(self, subscription_id: str, parameters: dict[str, Any], *, key: str) -> GatewaySubscription:
        params: Any = parameters
        return subscription(self._ask(lambda: self.client.v1.subscriptions.update(subscription_id, params, {"idempotency_key": key})))

    def preview_proration(self, parameters: dict[str, Any]) -> int:
        params: Any = parameters
        found = self._ask(lambda: self.client.v1.invoices.create_preview(params))
        since = parameters["subscription_details"]["proration_date"]
        return sum(line.amount for line in found.lines.data if _is_proration(line) and line.period.start == since)

    def retrieve_invoice(self, invoice_id: str) -> GatewayInvoice:
        return invoice(self._ask(lambda: self.client.v1.invoices.retrieve(invoice_id, {"expand": ["payments"]})))
