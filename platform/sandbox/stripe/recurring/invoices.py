"""Invoices: made for a period or a proration, and finalized at once; https://docs.stripe.com/api/invoices."""

from typing import Any

from sandbox.stripe.errors import Json
from sandbox.stripe.events import emit
from sandbox.stripe.listing import page, short_list
from sandbox.stripe.params import EXPAND, PAGE, Moment, Text
from sandbox.stripe.recurring import collecting
from sandbox.stripe.routing import Call, Route
from sandbox.stripe.world import World, stamp

_EMPTY = """
application customer_address customer_email customer_name customer_phone customer_shipping default_payment_method default_source
description due_date footer from_invoice last_finalization_error latest_revision next_payment_attempt on_behalf_of receipt_number
rendering shipping_cost shipping_details statement_descriptor custom_fields customer_tax_exempt effective_at
account_tax_ids account_country account_name automatically_finalizes_at webhooks_delivered_at
"""
_ZERO = """
amount_overpaid amount_paid amount_paid_off_stripe amount_shipping attempt_count post_payment_credit_notes_amount
pre_payment_credit_notes_amount
"""
_BLANK: Json = {
    "attempted": False,
    "auto_advance": True,
    "automatic_tax": {"disabled_reason": None, "enabled": False, "liability": None, "provider": None, "status": None},
    "collection_method": "charge_automatically",
    "customer_tax_ids": [],
    "default_tax_rates": [],
    "discounts": [],
    "issuer": {"type": "self"},
    "metadata": {},
    "payment_settings": {"default_mandate": None, "payment_method_options": None, "payment_method_types": None},
    "status": "open",
    "total_discount_amounts": [],
    "total_pretax_credit_amounts": [],
    "total_taxes": [],
}


def line(world: World, amount: int, price: Json, quantity: int, *, item: Json, period: tuple[int, int], proration: bool = False) -> Json:
    """A line that waits for an invoice."""
    words = "Remaining time" if amount >= 0 else "Unused time"
    return {
        "id": world.new_id("il"),
        "object": "line_item",
        "amount": amount,
        "currency": price["currency"],
        "description": f"{words} on {quantity} × {price['id']}" if proration else f"{quantity} × {price['id']}",
        "discount_amounts": [],
        "discountable": not proration,
        "discounts": [],
        "livemode": False,
        "metadata": {},
        "parent": {
            "type": "subscription_item_details",
            "invoice_item_details": None,
            "subscription_item_details": {
                "invoice_item": None,
                "proration": proration,
                "proration_details": {"credited_items": None},
                "subscription": item["subscription"],
                "subscription_item": item["id"],
            },
        },
        "period": {"start": period[0], "end": period[1]},
        "pretax_credit_amounts": [],
        "pricing": {
            "type": "price_details",
            "price_details": {"price": price["id"], "product": price["product"]},
            "unit_amount_decimal": str(price["unit_amount"]),
        },
        "quantity": quantity,
        "subtotal": amount,
        "taxes": [],
    }


def make(world: World, subscription: Json, lines: list[Json], *, reason: str, draft: bool = False) -> Json:
    """A finalized invoice of the subscription; one with nothing to pay is paid, a credit goes to the customer's balance.

    draft: it stays one, as Stripe leaves those of a subscription that it has given up on.
    """
    customer = world.store.get("customer", subscription["customer"])
    total, number = sum(each["amount"] for each in lines), customer["next_invoice_sequence"]
    invoice = upcoming(world, subscription, customer, lines, total=total, reason=reason)
    if draft:
        return _left(world, invoice)
    invoice["hosted_invoice_url"] = f"{world.public_url}/c/invoice/{invoice['id']}"
    invoice["invoice_pdf"] = f"{world.public_url}/c/invoice/{invoice['id']}?s={world.token('invoice_link', 8)}"
    customer.update(balance=invoice["ending_balance"], next_invoice_sequence=number + 1)
    world.store.save(customer)
    world.store.insert(invoice)
    emit(world, "invoice.created", invoice)
    emit(world, "invoice.finalized", invoice)
    if not invoice["amount_due"]:
        collecting.paid(world, invoice, amount=0)
    return invoice


def _left(world: World, invoice: Json) -> Json:
    invoice.update(status="draft", auto_advance=False, number=None, ending_balance=None, hosted_invoice_url=None, invoice_pdf=None)
    invoice["status_transitions"] = {**invoice["status_transitions"], "finalized_at": None}
    emit(world, "invoice.created", world.store.insert(invoice))
    return invoice


def upcoming(world: World, subscription: Json, customer: Json, lines: list[Json], *, total: int, reason: str) -> Json:
    """The invoice as it would be, kept nowhere."""
    invoice = _new(world, subscription, customer, total, reason)
    invoice["period_start"] = min((each["period"]["start"] for each in lines), default=int(world.now()))
    invoice["period_end"] = max((each["period"]["end"] for each in lines), default=int(world.now()))
    invoice["lines"] = short_list([{**each, "invoice": invoice["id"]} for each in lines], f"/v1/invoices/{invoice['id']}/lines")
    return invoice


def _new(world: World, subscription: Json, customer: Json, total: int, reason: str) -> Json:
    before, now = customer["balance"], int(world.now())
    due = max(0, total + before)
    return stamp(
        world,
        "in",
        "invoice",
        **_BLANK,
        **dict.fromkeys(_EMPTY.split()),
        **dict.fromkeys(_ZERO.split(), 0),
        amount_due=due,
        amount_remaining=due,
        billing_reason=reason,
        currency=subscription["currency"],
        customer=customer["id"],
        ending_balance=min(0, total + before),
        number=f"{customer['invoice_prefix']}-{customer['next_invoice_sequence']:04}",
        parent={
            "type": "subscription_details",
            "quote_details": None,
            "subscription_details": {"metadata": subscription["metadata"], "subscription": subscription["id"]},
        },
        starting_balance=before,
        test_clock=customer["test_clock"],
        status_transitions={"finalized_at": now, "marked_uncollectible_at": None, "paid_at": None, "voided_at": None},
        subtotal=total,
        subtotal_excluding_tax=total,
        total=total,
        total_excluding_tax=total,
    )


def void(world: World, invoice: Json) -> None:
    """An open invoice is not wanted any more."""
    if invoice["status"] == "open":
        invoice.update(status="void", next_payment_attempt=None)
        invoice["status_transitions"] = {**invoice["status_transitions"], "voided_at": int(world.now())}
        emit(world, "invoice.voided", world.store.save(invoice))


def retrieve(world: World, call: Call) -> Json:
    return world.store.require("invoice", call.id)


def index(world: World, call: Call) -> Json:
    where, values = "", ()  # type: tuple[str, tuple[object, ...]]
    if "subscription" in call.params:
        where = " AND json_extract(body, '$.parent.subscription_details.subscription') = ?"
        values = (call.params["subscription"],)
    equal: dict[str, Any] = {name: call.params.get(name) for name in ("customer", "status")}
    return page(world, call, "invoice", "/v1/invoices", equal=equal, where=where, values=values)


ROUTES = [
    Route(
        "GET",
        "/v1/invoices",
        index,
        {
            **PAGE,
            "created": Moment(),
            "customer": Text(),
            "subscription": Text(),
            "status": Text(choices=("draft", "open", "paid", "uncollectible", "void")),
        },
    ),
    Route("GET", "/v1/invoices/{id}", retrieve, {"expand": EXPAND}),
]
