"""What the clock does to subscriptions: the next period, the end, and the attempts to take what was not paid."""

from sandbox.stripe.events import emit
from sandbox.stripe.recurring import collecting, cycles, subscriptions
from sandbox.stripe.world import World


def renew(world: World, subscription_id: str) -> None:
    """The period is over: the end that was asked for, or the next period with its invoice."""
    subscription = world.store.get("subscription", subscription_id)
    if subscription["status"] not in subscriptions.LIVE:
        return
    if subscription["cancel_at_period_end"] or subscription["status"] == "incomplete":
        subscriptions.end(world, subscription, reason="cancellation_requested")
        return
    _, starts = subscriptions.period_of(subscription)
    for item in subscriptions.items_of(subscription):
        ends = cycles.after(starts, item["price"], anchor=subscription["billing_cycle_anchor"])
        item.update(current_period_start=starts, current_period_end=ends)
    world.store.save(subscription)
    subscriptions.bill(world, subscription, reason="subscription_cycle")
    world.later(subscriptions.RENEW, subscription_id, at=subscriptions.period_of(subscription)[1])


def retry(world: World, invoice_id: str) -> None:
    """Try again to take what is due; after the last attempt the subscription is over, or given up on, as the account is set."""
    invoice = world.store.get("invoice", invoice_id)
    subscription = world.store.get("subscription", invoice["parent"]["subscription_details"]["subscription"])
    if invoice["status"] != "open" or subscription["status"] != "past_due":
        return
    if collecting.collect(world, invoice, subscriptions.method_of(world, subscription)):
        subscriptions.settle(world, subscription, is_paid=True)
        return
    tried = invoice["attempt_count"] - 1
    if tried < len(subscriptions.RETRIES):
        subscriptions.try_again(world, invoice, days=subscriptions.RETRIES[tried])
    elif world.setting("after_last_retry") == "unpaid":
        subscriptions.settle(world, subscription, is_paid=False, given_up=True)
    else:
        subscriptions.end(world, subscription, reason="payment_failed")


def remind(world: World, subscription_id: str) -> None:
    subscription = world.store.get("subscription", subscription_id)
    if subscription["status"] == "trialing":
        emit(world, "customer.subscription.trial_will_end", subscription)
