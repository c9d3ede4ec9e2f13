"""Paying an open invoice: by the API, on its page, or by answering the bank; https://docs.stripe.com/api/invoices/pay."""

from html import escape

from sandbox.stripe import cards, checkout_payment, currencies, payment_methods
from sandbox.stripe.errors import Json, StripeError, invalid
from sandbox.stripe.params import EXPAND, Flag, Text
from sandbox.stripe.recurring import clocks, collecting, subscriptions
from sandbox.stripe.recurring.collecting import invoice_of
from sandbox.stripe.routing import Call, Route
from sandbox.stripe.world import World

CARDS = {"card": "4242424242424242", "bad_card": "4000000000000002", "asking_card": "4000002760003184"}


def pay(world: World, call: Call) -> Json:
    invoice = world.store.require("invoice", call.id)
    if invoice["status"] != "open":
        raise invalid(
            "Invoice is already paid" if invoice["status"] == "paid" else "Only open invoices can be paid.", code="invoice_not_open"
        )
    subscription = _subscription(world, invoice)
    name = call.params.get("payment_method")
    method = payment_methods.named(world, name) if name else subscriptions.method_of(world, subscription)
    _attempt(world, invoice, method)
    if invoice["status"] != "paid":
        raise StripeError(402, "card_error", "Your card was declined.", code="card_declined")
    return invoice


def _subscription(world: World, invoice: Json) -> Json:
    return world.store.get("subscription", invoice["parent"]["subscription_details"]["subscription"])


def _attempt(world: World, invoice: Json, method: Json | None) -> None:
    with clocks.of(world, world.store.find("customer", invoice["customer"])):
        if collecting.collect(world, invoice, method):
            subscriptions.settle(world, _subscription(world, invoice), is_paid=True)


def follow(world: World, intent: Json) -> None:
    """The buyer answered the bank about an invoice's intent: the invoice is paid, or was refused."""
    invoice = invoice_of(world, intent)
    if invoice is None or invoice["status"] != "open":
        return
    if intent["status"] == "succeeded":
        collecting.paid(world, invoice, amount=invoice["amount_due"])
        subscriptions.settle(world, _subscription(world, invoice), is_paid=True)
    else:
        collecting.unpaid(world, invoice, "invoice.payment_failed")


def body(invoice: Json) -> str:
    """What the invoice's page shows, as HTML."""
    total = currencies.shown(invoice["total"], invoice["currency"]).upper()
    said = f"<p>Total: {escape(total)}. Status: {escape(invoice['status'])}.</p>"
    if invoice["status"] != "open":
        return said
    return (
        f'{said}<form method="post"><button type="submit" name="do" value="card">Pay {escape(total)}</button>'
        '<button type="submit" class="second" name="do" value="asking_card">Pay by a card with 3-D Secure</button>'
        '<button type="submit" class="second" name="do" value="bad_card">Pay by a card that is declined</button></form>'
    )


def act(world: World, invoice: Json, what: str) -> str | None:
    """Do what the buyer chose, anything else changes nothing; the intent whose 3-D Secure comes next."""
    if invoice["status"] != "open" or what not in CARDS:
        return None
    method = payment_methods.new(world, cards.by_number(CARDS[what]) or cards.ALL[0])
    _attempt(world, invoice, method)
    for payment in collecting.payments(world, invoice)["data"]:
        intent: Json = world.store.get("payment_intent", payment["payment"]["payment_intent"])
        if intent["status"] == "requires_action":
            return str(intent["id"])
    return None


checkout_payment.followers.append(follow)
ROUTES = [
    Route("POST", "/v1/invoices/{id}/pay", pay, {"expand": EXPAND, "payment_method": Text(), "off_session": Flag()}),
]
