"""The control API under /_sandbox: JSON in, JSON out; README.md has the table."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from sandbox.stripe import checkout_payment, deliveries, differences, disputes, due_tasks, faults, loading, refunds, webhook_endpoints
from sandbox.stripe.connect import accounts, payouts
from sandbox.stripe.courier import Courier
from sandbox.stripe.engine import Engine
from sandbox.stripe.errors import Json, StripeError, invalid, parameter_missing, unknown_route
from sandbox.stripe.routing import Call
from sandbox.stripe.world import DEFAULTS, World

type Action = Callable[[World, str, Json], Json]


def answer(engine: Engine, courier: Courier, method: str, path: str, body: str) -> tuple[int, str]:
    """(status, JSON text) of one control call; its changes are durable on return."""
    world = engine.world
    segments = urlsplit(path).path.removeprefix("/_sandbox/").split("/")
    try:
        given = json.loads(body) if body else {}
    except ValueError:
        return 400, json.dumps(invalid("The body is not JSON.").body)
    if segments == ["webhooks", "flush"]:
        return _flush(courier, float(given.get("timeout", 30.0)))
    if segments == ["requests"]:
        return 200, json.dumps({"data": list(engine.requests)})
    try:
        action, object_id = _match(method, segments)
        with world.lock:
            due_tasks.run(world)
            with world.store.transaction():
                found = action(world, object_id, given)
            if action is _reset:
                engine.requests.clear()
            due_tasks.run(world)
            world.wake()
    except StripeError as error:
        return error.status, json.dumps(error.body)
    except KeyError as missing:
        return 400, json.dumps(parameter_missing(str(missing.args[0])).body)
    return 200, json.dumps(found)


def _flush(courier: Courier, timeout: float) -> tuple[int, str]:
    if not courier.delivers:
        return 400, json.dumps(invalid("This sandbox delivers nothing by itself: call deliver().").body)
    if courier.flush(timeout=timeout):
        return 200, "{}"
    return 504, json.dumps({"error": {"message": f"Some deliveries were not tried within {timeout} seconds."}})


def _match(method: str, segments: list[str]) -> tuple[Action, str]:
    exact = _ACTIONS.get((method, "/".join(segments)))
    if exact:
        return exact, ""
    if len(segments) == 3:
        found = _ACTIONS.get((method, f"{segments[0]}/*/{segments[2]}"))
        if found:
            return found, segments[1]
    raise unknown_route(method, "/_sandbox/" + "/".join(segments))


def _account(world: World, account_id: str, given: Json) -> Json:
    account = world.store.require("account", account_id)
    if given["state"] == "complete":
        return accounts.complete(world, account, given.get("currencies"))
    if given["state"] not in ("restricted", "deauthorized"):
        raise invalid("Invalid state: must be one of complete, restricted, deauthorized", param="state")
    return (accounts.restrict if given["state"] == "restricted" else accounts.deauthorize)(world, account)


def _fail_payout(world: World, payout_id: str, given: Json) -> Json:
    return payouts.fail(world, f"{given.get('account', '')}:{payout_id}", given.get("code") or "account_closed")


def _reset(world: World, _: str, given: Json) -> Json:
    world.store.wipe()
    return {}


def _clock(world: World, _: str, given: Json) -> Json:
    return {"now": world.now()}


def _set_clock(world: World, _: str, given: Json) -> Json:
    world.set_clock(float(given["at"]), stopped=bool(given.get("stopped")))
    return {"now": world.now()}


def _advance(world: World, _: str, given: Json) -> Json:
    stopped = world.store.setting("clock_stopped_at") is not None
    world.set_clock(world.now() + float(given["seconds"]), stopped=stopped)
    return {"now": world.now()}


def _settings(world: World, _: str, given: Json) -> Json:
    for name, value in given.items():
        if name not in DEFAULTS:
            raise invalid(f"There is no setting {name}; there are {', '.join(DEFAULTS)}.", param=name)
        world.store.set_setting(name, value)
    return {name: world.setting(name) for name in DEFAULTS}


def _pay(world: World, session_id: str, given: Json) -> Json:
    session = world.store.require("checkout.session", session_id)
    if given.get("outcome") not in (None, *checkout_payment.OUTCOMES):
        raise invalid(f"Invalid outcome: must be one of {', '.join(checkout_payment.OUTCOMES)}", param="outcome")
    problem = None
    try:
        card = checkout_payment.card_named(given.get("card") or "4242424242424242")
        session = checkout_payment.pay(world, session, card, outcome=given.get("outcome") or "succeeded", email=given.get("email", ""))
        intent = world.store.find("payment_intent", session["payment_intent"])
        if given.get("challenge") and intent and intent["status"] == "requires_action":
            session = checkout_payment.answer_challenge(world, intent, passed=given["challenge"] == "pass") or session
        elif given.get("challenge") and session["status"] == "open":
            session = checkout_payment.answer_session(world, session, passed=given["challenge"] == "pass")
    except StripeError as error:
        if error.status != 402:
            raise
        problem = error.body["error"]
    return {"session": world.store.get("checkout.session", session_id), "error": problem}


def _settle_payment(world: World, intent_id: str, given: Json) -> Json:
    checkout_payment.settle(world, world.store.require("payment_intent", intent_id), succeeds=bool(given.get("succeeds", True)))
    return world.store.get("payment_intent", intent_id)


def _challenge(world: World, intent_id: str, given: Json) -> Json:
    try:
        checkout_payment.answer_challenge(world, world.store.require("payment_intent", intent_id), passed=bool(given["passed"]))
    except StripeError as error:
        if error.status != 402:
            raise
    return world.store.get("payment_intent", intent_id)


def _charge(world: World, object_id: str) -> Json:
    if object_id.startswith("pi_"):
        object_id = world.store.require("payment_intent", object_id)["latest_charge"] or ""
    return world.store.require("charge", object_id)


def _open_dispute(world: World, _: str, given: Json) -> Json:
    charge = _charge(world, given["charge"])
    return disputes.open_dispute(
        world, charge, reason=given.get("reason", "fraudulent"), inquiry=bool(given.get("inquiry")), amount=given.get("amount")
    )


def _decide_dispute(world: World, dispute_id: str, given: Json) -> Json:
    dispute = world.store.require("dispute", dispute_id)
    if given["outcome"] == "escalate":
        disputes.escalate(world, dispute)
    else:
        disputes.decide(world, dispute, given["outcome"])
    return world.store.get("dispute", dispute_id)


def _next_refunds(world: World, _: str, given: Json) -> Json:
    unknown = set(given["outcomes"]) - set(refunds.OUTCOMES)
    if unknown:
        raise invalid(f"Invalid outcome: must be one of {', '.join(refunds.OUTCOMES)}", param="outcomes")
    world.store.set_setting("next_refunds", given["outcomes"])
    return {"outcomes": given["outcomes"]}


def _settle_refund(world: World, refund_id: str, given: Json) -> Json:
    refund = world.store.require("refund", refund_id)
    if refund["status"] not in ("pending", "requires_action"):
        raise invalid(f"This refund has a status of {refund['status']}.")
    refunds.settle(world, refund)
    return refund


def _fail_refund(world: World, refund_id: str, given: Json) -> Json:
    refund = world.store.require("refund", refund_id)
    if refund["status"] in ("failed", "canceled"):
        raise invalid(f"This refund has a status of {refund['status']}.")
    refunds.fail(world, refund, reason=given.get("reason", "lost_or_stolen_card"))
    return refund


def _dashboard_refund(world: World, _: str, given: Json) -> Json:
    charge = _charge(world, given["charge"])
    amount = refunds.allowed_amount(world, charge, given.get("amount"))
    return refunds.open_refund(world, charge, amount, outcome=given.get("outcome", "succeeded"), metadata={}, reason=given.get("reason"))


def _arm(world: World, _: str, given: Json) -> Json:
    return faults.arm(world, given)


def _armed(world: World, _: str, given: Json) -> Json:
    return {"data": faults.armed(world)}


def _disarm(world: World, _: str, given: Json) -> Json:
    faults.disarm(world)
    return {}


def _endpoint(world: World, _: str, given: Json) -> Json:
    """One endpoint per URL: registering it again changes its secret and its events. `connect`: it hears of connected accounts only."""
    known = [e for e in world.store.select("webhook_endpoint") if e["url"] == given["url"]]
    fields = {"url": given["url"], "enabled_events": given.get("enabled_events", ["*"]), "connect": given.get("connect", False)}
    endpoint = known[0] if known else world.store.get("webhook_endpoint", webhook_endpoints.create(world, Call("", fields))["id"])
    endpoint.update(secret=given["secret"], enabled_events=fields["enabled_events"], status="enabled")
    return world.store.save(endpoint)


def _mode(world: World, _: str, given: Json) -> Json:
    if given.get("mode") not in deliveries.MODES:
        raise invalid(f"Invalid mode: must be one of {', '.join(deliveries.MODES)}", param="mode")
    world.store.set_setting("delivery", None if given["mode"] == "normal" else given)
    return given


def _release(world: World, _: str, given: Json) -> Json:
    return {"released": deliveries.release(world, event=given.get("event"))}


def _resend(world: World, event_id: str, given: Json) -> Json:
    event = world.store.require("event", event_id)
    for endpoint in world.store.select("webhook_endpoint", newest_first=False):
        deliveries.queue(world, event, endpoint["id"])
    return {}


def _deliveries(world: World, _: str, given: Json) -> Json:
    return {"data": deliveries.listed(world)}


def _load(world: World, _: str, given: Json) -> Json:
    records: list[dict[str, Any]] = given["records"]
    return loading.load(world, records)


_ACTIONS: dict[tuple[str, str], Action] = {
    ("POST", "reset"): _reset,
    ("GET", "clock"): _clock,
    ("POST", "clock/set"): _set_clock,
    ("POST", "clock/advance"): _advance,
    ("POST", "settings"): _settings,
    ("POST", "checkout/*/pay"): _pay,
    ("POST", "payment_intents/*/settle"): _settle_payment,
    ("POST", "payment_intents/*/challenge"): _challenge,
    ("POST", "accounts/*/state"): _account,
    ("POST", "payouts/*/fail"): _fail_payout,
    ("POST", "disputes"): _open_dispute,
    ("POST", "disputes/*/decide"): _decide_dispute,
    ("POST", "refunds/next"): _next_refunds,
    ("POST", "refunds/*/settle"): _settle_refund,
    ("POST", "refunds/*/fail"): _fail_refund,
    ("POST", "refunds/from_dashboard"): _dashboard_refund,
    ("GET", "faults"): _armed,
    ("POST", "faults"): _arm,
    ("DELETE", "faults"): _disarm,
    ("POST", "webhooks/endpoint"): _endpoint,
    ("POST", "webhooks/mode"): _mode,
    ("POST", "webhooks/release"): _release,
    ("POST", "events/*/resend"): _resend,
    ("GET", "deliveries"): _deliveries,
    ("POST", "load"): _load,
    ("POST", "balance_transactions/*/change"): differences.change,
    ("POST", "balance_transactions/*/remove"): differences.remove,
}
