"""The customer portal's page: the card, and whether the subscription goes on."""

from html import escape

from sandbox.stripe import cards, payment_methods
from sandbox.stripe.errors import Json
from sandbox.stripe.events import emit
from sandbox.stripe.recurring import subscriptions
from sandbox.stripe.routing import Call
from sandbox.stripe.world import World

CARDS = {"card": "4242424242424242", "bad_card": "4000000000000002"}


def body(world: World, session: Json) -> str:
    """What the page shows, as HTML."""
    return "\n".join([_row(each) for each in _live(world, session)] or ["<p>Nothing is subscribed to.</p>"])


def _row(subscription: Json) -> str:
    ends = subscription["cancel_at_period_end"]
    button = ("resume", "Do not cancel") if ends else ("cancel", "Cancel at the end of the period")
    return (
        f"<p>Subscription <code>{escape(subscription['id'])}</code>: {escape(subscription['status'])}.</p>"
        f'<form method="post"><button type="submit" name="do" value="{button[0]}">{button[1]}</button>'
        '<button type="submit" class="second" name="do" value="card">Use a card that pays</button>'
        '<button type="submit" class="second" name="do" value="bad_card">Use a card that is declined</button></form>'
    )


def act(world: World, session: Json, what: str) -> None:
    """Do what the buyer chose; anything else changes nothing."""
    for subscription in _live(world, session):
        if what in ("cancel", "resume"):
            subscriptions.update(world, Call(subscription["id"], {"cancel_at_period_end": what == "cancel"}))
        elif what in CARDS:
            _use(world, subscription, CARDS[what])


def _use(world: World, subscription: Json, number: str) -> None:
    card = cards.by_number(number) or cards.ALL[0]
    customer = world.store.get("customer", subscription["customer"])
    method = payment_methods.new(world, card, customer=customer["id"])
    customer["invoice_settings"] = {**customer["invoice_settings"], "default_payment_method": method["id"]}
    emit(world, "customer.updated", world.store.save(customer), previous={})
    subscriptions.update(world, Call(subscription["id"], {"default_payment_method": method["id"]}))


def _live(world: World, session: Json) -> list[Json]:
    found = world.store.select("subscription", " AND json_extract(body, '$.customer') = ?", (session["customer"],))
    return [each for each in found if each["status"] in subscriptions.LIVE]
