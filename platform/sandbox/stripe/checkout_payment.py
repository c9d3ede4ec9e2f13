"""Paying a Checkout session: what the hosted page and the control API do."""

from collections.abc import Callable

from sandbox.stripe import cards, charging, payment_intents, payment_methods
from sandbox.stripe.cards import Card
from sandbox.stripe.checkout_sessions import EXPIRE, customer_details, more
from sandbox.stripe.errors import Json, StripeError, invalid
from sandbox.stripe.events import emit
from sandbox.stripe.world import World

SETTLE = "settle_intent"  # the task that ends an asynchronous payment
SECONDS_TO_SETTLE = 5.0  # of the sandbox's clock
type Payer = Callable[[World, Json, Card, dict[str, str]], Json]
type Answerer = Callable[[World, Json, bool], Json]
modes: dict[str, Payer] = {}  # what pays a session of another mode than payment
answers: dict[str, Answerer] = {}  # what its 3-D Secure leads to
followers: list[Callable[[World, Json], None]] = []  # who else wants to know how 3-D Secure ended
OUTCOMES = ("succeeded", "processing", "processing_then_failed", "processing_until_settled")


def pay(world: World, session: Json, card: Card, *, outcome: str = "succeeded", email: str = "", name: str = "") -> Json:
    """Try to pay an open session with a test card; the session afterwards. Raises the card error of a declined card.

    A card with 3-D Secure leaves the session open and its intent in requires_action: `answer_challenge` goes on from there.
    """
    if session["status"] != "open":
        raise invalid(f"This Checkout Session has a status of {session['status']}.", param="session")
    billing = {"email": email or session["customer_email"] or "attendee@example.com", "name": name or "Test Attendee"}
    if session["mode"] in modes:
        return modes[session["mode"]](world, session, card, billing)
    intent = _intent(world, session)
    method = payment_methods.new(world, card, billing=billing, customer=session["customer"])
    session["customer_details"] = customer_details(billing["email"], billing["name"])
    world.store.save(session)
    back = f"{world.public_url}/c/pay/{session['id']}"
    declined = charging.confirm(world, intent, method, settles_later=outcome.startswith("processing"), return_url=back)
    if declined:
        raise declined
    if intent["status"] == "processing" and outcome != "processing_until_settled":
        task = outcome.removeprefix("processing_then_") if outcome != "processing" else "succeeded"
        world.later(f"{SETTLE}_{task}", intent["id"], at=world.now() + SECONDS_TO_SETTLE)
    return _complete_if_paid(world, session, intent)


def _intent(world: World, session: Json) -> Json:
    """The session's intent, made at the first attempt as Stripe does."""
    found = world.store.find("payment_intent", session["payment_intent"])
    if found:
        return found
    data = more(world, session)["intent"]
    intent = payment_intents.new(
        world,
        amount=session["amount_total"],
        currency=session["currency"],
        metadata=data.get("metadata") or {},
        customer=session["customer"],
        description=data.get("description"),
        receipt_email=data.get("receipt_email"),
        transfer_group=data.get("transfer_group"),
    )
    session["payment_intent"] = intent["id"]
    world.store.save(session)
    return intent


def _complete_if_paid(world: World, session: Json, intent: Json) -> Json:
    if intent["status"] not in ("succeeded", "processing"):
        return session
    paid = "paid" if intent["status"] == "succeeded" else "unpaid"
    session.update(status="complete", payment_status=paid, url=None)
    world.forget(EXPIRE, session["id"])
    emit(world, "checkout.session.completed", world.store.save(session))
    return session


def answer_challenge(world: World, intent: Json, *, passed: bool) -> Json | None:
    """The buyer answered 3-D Secure. Gives the session the intent belongs to, if any. Raises the card error of a failed one."""
    if intent["status"] != "requires_action":
        raise invalid(f"This PaymentIntent has a status of {intent['status']}.", code="payment_intent_unexpected_state")
    session = session_of(world, intent)
    method = world.store.get("payment_method", intent["payment_method"])
    problem: StripeError | None
    if passed:
        problem = charging.confirm(world, intent, method, authenticated=True)
    else:
        problem = charging.decline(world, intent, method, charging.FAILED_AUTHENTICATION)
    for follow in followers:
        follow(world, intent)
    if problem:
        raise problem
    return _complete_if_paid(world, session, intent) if session else None


def answer_session(world: World, session: Json, *, passed: bool) -> Json:
    """The buyer answered 3-D Secure of a session that has no intent yet. Raises the card error of a failed one."""
    if session["status"] != "open" or session["mode"] not in answers:
        raise invalid(f"This Checkout Session has a status of {session['status']}.", param="session")
    return answers[session["mode"]](world, session, passed)


def settle(world: World, intent: Json, *, succeeds: bool) -> None:
    """The bank answers an asynchronous payment."""
    if intent["status"] != "processing":
        raise invalid(f"This PaymentIntent has a status of {intent['status']}.", code="payment_intent_unexpected_state")
    charging.settle(world, intent, succeeds=succeeds)
    session = session_of(world, intent)
    if session is None:
        return
    if succeeds:
        session["payment_status"] = "paid"
    emit(world, f"checkout.session.async_payment_{'succeeded' if succeeds else 'failed'}", world.store.save(session))


def session_of(world: World, intent: Json) -> Json | None:
    found = world.store.select("checkout.session", " AND json_extract(body, '$.payment_intent') = ?", (intent["id"],), limit=1)
    return found[0] if found else None


def card_named(name: str) -> Card:
    """A card by number or by token. Raises Stripe's card error for any other."""
    return cards.by_token(name) or payment_methods.by_number(name, param="card")
