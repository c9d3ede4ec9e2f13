"""The hosted pages: Checkout, 3-D Secure, receipt. Plain forms, no scripts."""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from sandbox.stripe import checkout_payment, checkout_sessions, currencies, due_tasks, form, page_html
from sandbox.stripe.connect import accounts
from sandbox.stripe.errors import Json, StripeError
from sandbox.stripe.recurring import paying, portal
from sandbox.stripe.world import World


@dataclass(frozen=True)
class Page:
    status: int
    html: str = ""
    headers: dict[str, str] = field(default_factory=dict)


def answer(world: World, method: str, path: str, body: str) -> Page:
    """The page at a path under /c/."""
    segments = urlsplit(path).path.strip("/").split("/")
    shown = _PAGES.get((method, segments[1])) if len(segments) == 3 else None
    if shown is None:
        return Page(404, page_html.notice("There is no such page", "Check the address."))
    with world.lock:
        due_tasks.run(world)
        with world.store.transaction():
            page: Page = shown(world, segments[2], form.decode(body))
        world.wake()
    return page


def _see_other(url: str) -> Page:
    return Page(303, headers={"Location": url})


def _checkout(world: World, session_id: str, _: dict[str, Any]) -> Page:
    session = world.store.find("checkout.session", session_id)
    return _missing() if session is None else _show(world, session)


def _missing() -> Page:
    return Page(404, page_html.notice("This payment page does not exist", "Check the link you were given."))


def _show(world: World, session: Json, *, problem: str = "") -> Page:
    if session["status"] == "expired":
        text = "You can no longer pay here. Go back to the event's page and register again."
        return Page(200, page_html.notice("This payment page has expired", text, link=session["cancel_url"], label="Go back"))
    if session["status"] == "complete":
        text = "This payment has been made; you cannot pay twice."
        return Page(200, page_html.notice("Already paid", text, link=_success_url(session), label="Continue"))
    if not problem and session["payment_intent"]:
        last = world.store.get("payment_intent", session["payment_intent"])["last_payment_error"]
        problem = last["message"] if last else ""
    items = checkout_sessions.more(world, session)["items"]
    return Page(200, page_html.checkout(session, items, problem=problem))


def _success_url(session: Json) -> str:
    return str(session["success_url"]).replace("{CHECKOUT_SESSION_ID}", session["id"])


def _pay(world: World, session_id: str, given: dict[str, Any]) -> Page:
    session = world.store.find("checkout.session", session_id)
    if session is None:
        return _missing()
    if session["status"] != "open":
        return _show(world, session)
    outcome = "processing" if given.get("method") == "bank" else "succeeded"
    try:
        card = checkout_payment.card_named(str(given.get("try") or given.get("card", "")))
        session = checkout_payment.pay(
            world, session, card, outcome=outcome, email=str(given.get("email", "")), name=str(given.get("name", ""))
        )
    except StripeError as error:
        return _show(world, world.store.get("checkout.session", session_id), problem=str(error))
    if session["status"] == "open":
        return _see_other(f"{world.public_url}/c/3ds/{session['payment_intent'] or session['id']}")
    return _see_other(_success_url(session))


def _challenge(world: World, intent_id: str, _: dict[str, Any]) -> Page:
    asked = world.store.find("checkout.session", intent_id)
    if asked is not None:
        return Page(200, page_html.challenge(currencies.shown(asked["amount_total"], asked["currency"])))
    intent = world.store.find("payment_intent", intent_id)
    if intent is None:
        return _missing()
    if intent["status"] != "requires_action":
        return Page(200, page_html.notice("Nothing to confirm", "This payment is not waiting for you."))
    return Page(200, page_html.challenge(currencies.shown(intent["amount"], intent["currency"])))


def _answer_session(world: World, session: Json, *, passed: bool) -> Page:
    try:
        return _see_other(_success_url(checkout_payment.answer_session(world, session, passed=passed)))
    except StripeError as error:
        return _show(world, session, problem=str(error))


def _answer_challenge(world: World, intent_id: str, given: dict[str, Any]) -> Page:
    asked = world.store.find("checkout.session", intent_id)
    if asked is not None:
        return _answer_session(world, asked, passed=given.get("answer") == "complete")
    intent = world.store.find("payment_intent", intent_id)
    if intent is None:
        return _missing()
    session = checkout_payment.session_of(world, intent)
    back = ((intent["next_action"] or {}).get("redirect_to_url") or {}).get("return_url")
    try:
        paid = checkout_payment.answer_challenge(world, intent, passed=given.get("answer") == "complete")
    except StripeError:
        return _see_other(f"{world.public_url}/c/pay/{session['id']}") if session else _returned(back)
    return _see_other(_success_url(paid)) if paid else _returned(back)


def _returned(back: str | None) -> Page:
    return _see_other(back) if back else Page(200, page_html.notice("Thank you", "You can close this page."))


def _receipt(world: World, intent_id: str, _: dict[str, Any]) -> Page:
    intent = world.store.find("payment_intent", intent_id)
    if intent is None or intent["status"] != "succeeded":
        return _missing()
    charge, currency = world.store.get("charge", intent["latest_charge"]), intent["currency"]
    back = f" Refunded: {currencies.shown(charge['amount_refunded'], currency)}." if charge["amount_refunded"] else ""
    return Page(200, page_html.notice("Receipt", f"Paid: {currencies.shown(charge['amount'], currency)}.{back} Payment {intent['id']}."))


def _onboarding(world: World, account_id: str, _: dict[str, Any]) -> Page:
    account = world.store.find("account", account_id)
    return _missing() if account is None else Page(200, page_html.onboarding(account))


def _onboarded(world: World, account_id: str, given: dict[str, Any]) -> Page:
    account = world.store.find("account", account_id)
    if account is None:
        return _missing()
    if given.get("answer") == "complete":
        accounts.complete(world, account)
    return _returned((world.store.setting(f"onboarding:{account_id}") or {}).get("return_url"))


def _portal(world: World, session_id: str, given: dict[str, Any]) -> Page:
    """Shows the portal, after doing what was chosen there."""
    session = world.store.find("billing_portal.session", session_id)
    if session is None:
        return _missing()
    portal.act(world, session, str(given.get("do", "")))
    return Page(200, page_html.portal(portal.body(world, session), session["return_url"]))


def _invoice(world: World, invoice_id: str, given: dict[str, Any]) -> Page:
    """Shows the invoice, after doing what was chosen there."""
    invoice = world.store.find("invoice", invoice_id)
    if invoice is None:
        return _missing()
    asking = paying.act(world, invoice, str(given.get("do", "")))
    if asking is not None:
        return _see_other(f"{world.public_url}/c/3ds/{asking}")
    return Page(200, page_html.invoice(invoice["number"], paying.body(invoice)))


_PAGES = {
    ("GET", "portal"): _portal,
    ("POST", "portal"): _portal,
    ("GET", "invoice"): _invoice,
    ("POST", "invoice"): _invoice,
    ("GET", "connect"): _onboarding,
    ("POST", "connect"): _onboarded,
    ("GET", "pay"): _checkout,
    ("POST", "pay"): _pay,
    ("GET", "3ds"): _challenge,
    ("POST", "3ds"): _answer_challenge,
    ("GET", "receipt"): _receipt,
}
