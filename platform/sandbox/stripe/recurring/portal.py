"""The customer portal's page: the card, the invoices, and whether the subscription goes on."""

from html import escape

from sandbox.stripe import cards, currencies, payment_methods
from sandbox.stripe.errors import Json
from sandbox.stripe.events import emit
from sandbox.stripe.recurring import clocks, subscriptions
from sandbox.stripe.routing import Call
from sandbox.stripe.world import World

CARDS = {
    "card": ("4242424242424242", "Use a card that pays"),
    "asking_card": ("4000002760003184", "Use a card that asks for 3-D Secure each time"),
    "bad_card": ("4000000000000341", "Use a card that is declined later"),
}


def body(world: World, session: Json) -> str:
    """What the page shows, as HTML."""
    shown = [_row(world, each) for each in subscriptions.live_of(world, session["customer"])] or ["<p>Nothing is subscribed to.</p>"]
    bills = world.store.select("invoice", " AND json_extract(body, '$.customer') = ?", (session["customer"],))
    return "\n".join([*shown, *(_bill(each) for each in bills if each["hosted_invoice_url"])])


def _row(world: World, subscription: Json) -> str:
    ends, method = subscription["cancel_at_period_end"], subscriptions.method_of(world, subscription)
    button = ("resume", "Do not cancel") if ends else ("cancel", "Cancel at the end of the period")
    card = f"{method['card']['brand']} {method['card']['last4']}" if method else "no card"
    others = "".join(
        f'<button type="submit" class="second" name="do" value="{name}">{label}</button>' for name, (_, label) in CARDS.items()
    )
    return (
        f"<p>Subscription <code>{escape(subscription['id'])}</code>: {escape(subscription['status'])}, paid by {escape(card)}.</p>"
        f'<form method="post"><button type="submit" name="do" value="{button[0]}">{button[1]}</button>{others}</form>'
    )


def _bill(invoice: Json) -> str:
    total = currencies.shown(invoice["total"], invoice["currency"]).upper()
    return f'<p><a href="{escape(invoice["hosted_invoice_url"])}">{escape(invoice["number"])}</a>: {total}, {invoice["status"]}</p>'


def act(world: World, session: Json, what: str) -> None:
    """Do what the buyer chose; anything else changes nothing."""
    for subscription in subscriptions.live_of(world, session["customer"]):
        if what in ("cancel", "resume"):
            subscriptions.update(world, Call(subscription["id"], {"cancel_at_period_end": what == "cancel"}))
        elif what in CARDS:
            _use(world, subscription, CARDS[what][0])


def _use(world: World, subscription: Json, number: str) -> None:
    customer = world.store.get("customer", subscription["customer"])
    with clocks.of(world, customer):
        method = payment_methods.new(world, cards.by_number(number) or cards.ALL[0], customer=customer["id"])
        emit(world, "payment_method.attached", method)
        before = {"invoice_settings": customer["invoice_settings"]}
        customer["invoice_settings"] = {**customer["invoice_settings"], "default_payment_method": method["id"]}
        emit(world, "customer.updated", world.store.save(customer), previous=before)
    subscriptions.update(world, Call(subscription["id"], {"default_payment_method": method["id"]}))
