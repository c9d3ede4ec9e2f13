"""Which of a subscription's items is the one for further seats, and how it is set to a number."""

from dataclasses import dataclass
from typing import Any

from billing.gateway.plans import GatewaySubscription
from billing.models import PlanPrice, Subscription


@dataclass(frozen=True, slots=True)
class SeatItem:
    """item_id: Stripe's, "" where no seat is billed; price: None there."""

    item_id: str = ""
    price: PlanPrice | None = None
    quantity: int = 0


def billed(answer: GatewaySubscription) -> SeatItem:
    """The seat item of what Stripe answered."""
    prices = PlanPrice.objects.filter(stripe_price_id__in=answer.price_ids, kind=PlanPrice.Kind.SEAT)
    known = {price.stripe_price_id: price for price in prices}
    items = zip(answer.item_ids, answer.price_ids, answer.quantities, strict=False)
    found = next(((item, known[price], quantity) for item, price, quantity in items if price in known), None)
    return SeatItem(*found) if found else SeatItem()


def price_for(subscription: Subscription) -> PlanPrice | None:
    """What one more seat costs this subscriber: the price of the seats they have, else the one that is current; None where none is sold."""
    base, kept = subscription.price, subscription.seat_price
    if kept is not None and (kept.plan_id, kept.interval) == (base.plan_id, base.interval):
        return kept
    return current_price(base)


def current_price(base: PlanPrice) -> PlanPrice | None:
    """What a further seat of the same plan, interval and currency costs whoever has none; None where none is sold."""
    rows = PlanPrice.objects.current().filter(plan_id=base.plan_id, interval=base.interval, currency=base.currency)
    return rows.filter(kind=PlanPrice.Kind.SEAT).exclude(stripe_price_id=None).first()


def changed(now: SeatItem, *, price: PlanPrice | None, number: int) -> list[dict[str, Any]]:
    """The items to send so that `number` seats are billed at `price`; none where that is so already."""
    if not number or price is None:
        return [{"id": now.item_id, "deleted": True}] if now.item_id else []
    if not now.item_id:
        return [{"price": price.stripe_price_id, "quantity": number}]
    if now.price == price and now.quantity == number:
        return []
    moved = {} if now.price == price else {"price": price.stripe_price_id}
    return [{"id": now.item_id, "quantity": number, **moved}]
