"""Work that the clock brings: sessions expire, balance transactions arrive, late outcomes happen."""

from collections.abc import Callable

from sandbox.stripe import charges, checkout_payment, checkout_sessions, refunds
from sandbox.stripe.connect import payouts
from sandbox.stripe.recurring import renewals, subscriptions
from sandbox.stripe.world import World


def run(world: World) -> int:
    """Do everything that is due by the sandbox's clock, in order, one transaction each. The number of things done."""
    done = 0
    while (found := world.next_due(by=world.now())) is not None:
        number, _, task, subject = found
        with world.store.transaction():
            world.drop_due(number)
            do(world, task, subject)
        done += 1
    if done:
        world.wake()
    return done


def do(world: World, task: str, subject: str) -> None:
    """One piece of work, in the caller's transaction."""
    _TASKS[task](world, subject)


def _capture(world: World, charge_id: str) -> None:
    charges.capture(world, charge_id)
    refunds.after_capture(world, charge_id)


def _expire(world: World, session_id: str) -> None:
    session = world.store.get("checkout.session", session_id)
    if session["status"] == "open":
        checkout_sessions.end(world, session)


def _book_refund(world: World, refund_id: str) -> None:
    refunds.book(world, world.store.get("refund", refund_id))


def _settle_refund(world: World, refund_id: str) -> None:
    refund = world.store.get("refund", refund_id)
    if refund["status"] in ("pending", "requires_action"):
        refunds.settle(world, refund)


def _fail_refund(world: World, refund_id: str) -> None:
    refund = world.store.get("refund", refund_id)
    if refund["status"] not in ("failed", "canceled"):
        refunds.fail(world, refund)


def _settle_intent(world: World, intent_id: str, *, succeeds: bool) -> None:
    intent = world.store.get("payment_intent", intent_id)
    if intent["status"] == "processing":
        checkout_payment.settle(world, intent, succeeds=succeeds)


_TASKS: dict[str, Callable[[World, str], None]] = {
    charges.CAPTURE: _capture,
    payouts.LEAVE: payouts.leave,
    subscriptions.RENEW: renewals.renew,
    subscriptions.RETRY: renewals.retry,
    subscriptions.REMIND: renewals.remind,
    payouts.ARRIVE: payouts.arrive,
    checkout_sessions.EXPIRE: _expire,
    refunds.BOOK: _book_refund,
    refunds.SETTLE: _settle_refund,
    refunds.FAIL: _fail_refund,
    f"{checkout_payment.SETTLE}_succeeded": lambda world, intent_id: _settle_intent(world, intent_id, succeeds=True),
    f"{checkout_payment.SETTLE}_failed": lambda world, intent_id: _settle_intent(world, intent_id, succeeds=False),
}
