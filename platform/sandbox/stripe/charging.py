"""What a payment intent does when it is confirmed with a card: succeed, be declined, ask for 3-D Secure, or settle later."""

from sandbox.stripe import charges, disputes
from sandbox.stripe.cards import Card, Decline
from sandbox.stripe.errors import Json, StripeError, card_error
from sandbox.stripe.events import emit
from sandbox.stripe.payment_methods import card_of
from sandbox.stripe.world import World

FAILED_AUTHENTICATION = Decline(
    "payment_intent_authentication_failure",
    "",
    "The provided PaymentMethod has failed authentication. You can provide payment_method_data or a new PaymentMethod to attempt to "
    "fulfill this PaymentIntent again.",
)
BANK_REFUSED = Decline("card_declined", "generic_decline", "The bank did not settle this payment.")


def confirm(
    world: World, intent: Json, method: Json, *, authenticated: bool = False, settles_later: bool = False, return_url: str | None = None
) -> StripeError | None:
    """Try to take the money; the intent has moved on return. Gives the card error when the card was declined."""
    card = card_of(method)
    intent.update(payment_method=method["id"], last_payment_error=None, next_action=None)
    if card.authenticate and not authenticated:
        _ask(world, intent, return_url)
        return None
    if card.decline:
        return decline(world, intent, method, card.decline)
    if settles_later:
        charge = charges.new(world, intent, method, status="pending")
        intent.update(status="processing", latest_charge=charge["id"])
        emit(world, "payment_intent.processing", world.store.save(intent))
        emit(world, "charge.pending", charge)
        return None
    charge = charges.new(world, intent, method, status="succeeded", authenticated=authenticated)
    _succeed(world, intent, charge, card)
    return None


def _ask(world: World, intent: Json, return_url: str | None) -> None:
    url = f"{world.public_url}/c/3ds/{intent['id']}"
    action: Json = {"type": "redirect_to_url", "redirect_to_url": {"return_url": return_url, "url": url}}
    if return_url is None:
        action = {"type": "use_stripe_sdk", "use_stripe_sdk": {"type": "three_d_secure_redirect", "stripe_js": url}}
    intent.update(status="requires_action", next_action=action)
    emit(world, "payment_intent.requires_action", world.store.save(intent))


def _succeed(world: World, intent: Json, charge: Json, card: Card) -> None:
    intent.update(
        status="succeeded", latest_charge=charge["id"], amount_received=intent["amount"], next_action=None, last_payment_error=None
    )
    emit(world, "charge.succeeded", charge)
    emit(world, "payment_intent.succeeded", world.store.save(intent))
    if card.dispute:
        disputes.open_dispute(world, charge, reason=card.dispute, inquiry=card.inquiry)


def decline(world: World, intent: Json, method: Json, why: Decline) -> StripeError:
    """Book a failed attempt; the intent waits for another payment method."""
    charge_id = None
    if why is not FAILED_AUTHENTICATION:
        charge = charges.new(world, intent, method, status="failed", decline=why)
        charge_id = intent["latest_charge"] = charge["id"]
        emit(world, "charge.failed", charge)
    problem = {"code": why.code, "message": why.message, "type": "card_error", "payment_method": method}
    if why.decline_code:
        problem["decline_code"] = why.decline_code
    if charge_id:
        problem["charge"] = charge_id
    intent.update(status="requires_payment_method", payment_method=None, last_payment_error=problem, next_action=None)
    emit(world, "payment_intent.payment_failed", world.store.save(intent))
    return card_error(
        why.message, code=why.code, decline_code=why.decline_code or None, payment_intent=intent, charge=charge_id, payment_method=method
    )


def settle(world: World, intent: Json, *, succeeds: bool) -> None:
    """End the processing of an intent that settles later."""
    charge = world.store.get("charge", intent["latest_charge"])
    method = world.store.get("payment_method", intent["payment_method"])
    if succeeds:
        charge.update(status="succeeded", paid=True, captured=True, amount_captured=charge["amount"])
        charge["receipt_url"] = charges.receipt_url(world, intent["id"])
        world.store.save(charge)
        charges.expect_balance_transaction(world, charge, at_once=False)
        _succeed(world, intent, charge, card_of(method))
        return
    charge.update(status="failed", failure_code=BANK_REFUSED.code, failure_message=BANK_REFUSED.message)
    emit(world, "charge.failed", world.store.save(charge))
    problem = {
        "code": BANK_REFUSED.code,
        "message": BANK_REFUSED.message,
        "type": "card_error",
        "payment_method": method,
        "charge": charge["id"],
    }
    intent.update(status="requires_payment_method", payment_method=None, last_payment_error=problem)
    emit(world, "payment_intent.payment_failed", world.store.save(intent))
