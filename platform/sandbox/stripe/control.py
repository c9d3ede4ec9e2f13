"""A client of the control API, for tests and the demo's seed: plain HTTP, so it also reaches a sandbox in another process."""

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

type Json = dict[str, Any]


class ControlRefused(Exception):
    """The sandbox did not do it; the message says why."""


class Control:
    """Every method is one call of README.md's table; answers are the decoded JSON."""

    def __init__(self, url: str) -> None:
        self._address = urlsplit(url)

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Any control call. Raises ControlRefused for an answer that is not 200."""
        connection = http.client.HTTPConnection(self._address.hostname or "", self._address.port, timeout=120)
        try:
            connection.request(method, f"/_sandbox{path}", None if body is None else json.dumps(body))
            response = connection.getresponse()
            answer = json.loads(response.read())
        finally:
            connection.close()
        if response.status != 200:
            raise ControlRefused(answer["error"]["message"])
        return answer

    def reset(self) -> None:
        """Everything is forgotten: objects, clock, settings, faults, endpoints."""
        self.call("POST", "/reset", {})

    # clock

    def now(self) -> float:
        return float(self.call("GET", "/clock")["now"])

    def set_clock(self, at: float, *, stopped: bool = False) -> None:
        """What became due by then has been done on return."""
        self.call("POST", "/clock/set", {"at": at, "stopped": stopped})

    def advance(self, seconds: float) -> None:
        self.call("POST", "/clock/advance", {"seconds": seconds})

    def settings(self, **changed: Any) -> Json:
        return self._dict(self.call("POST", "/settings", changed))

    # what buyers, banks and people at Stripe's dashboard do

    def pay(self, session: str, *, card: str = "4242424242424242", outcome: str = "succeeded", challenge: str | None = None) -> Json:
        """Pay a Checkout session; the answer has `session` and `error` (null unless declined). challenge: "pass" or "fail" 3-D Secure."""
        return self._dict(self.call("POST", f"/checkout/{session}/pay", {"card": card, "outcome": outcome, "challenge": challenge}))

    def settle_payment(self, payment_intent: str, *, succeeds: bool = True) -> Json:
        return self._dict(self.call("POST", f"/payment_intents/{payment_intent}/settle", {"succeeds": succeeds}))

    def answer_challenge(self, payment_intent: str, *, passed: bool) -> Json:
        """Answer the 3-D Secure question of an intent in requires_action; the intent afterwards."""
        return self._dict(self.call("POST", f"/payment_intents/{payment_intent}/challenge", {"passed": passed}))

    def account(self, account: str, state: str, *, currencies: list[str] | None = None) -> Json:
        """state: complete (onboarded, with a bank account in each currency), restricted (papers are due again), deauthorized."""
        return self._dict(self.call("POST", f"/accounts/{account}/state", {"state": state, "currencies": currencies}))

    def fail_payout(self, payout: str, *, account: str = "", code: str = "account_closed") -> Json:
        """The bank does not take it, or sends it back after it was paid."""
        return self._dict(self.call("POST", f"/payouts/{payout}/fail", {"account": account, "code": code}))

    def open_dispute(self, charge: str, *, reason: str = "fraudulent", inquiry: bool = False, amount: int | None = None) -> Json:
        """charge: a charge's or a payment intent's id."""
        return self._dict(self.call("POST", "/disputes", {"charge": charge, "reason": reason, "inquiry": inquiry, "amount": amount}))

    def decide_dispute(self, dispute: str, outcome: str) -> Json:
        """outcome: won, lost, warning_closed, or escalate (an inquiry becomes a dispute)."""
        return self._dict(self.call("POST", f"/disputes/{dispute}/decide", {"outcome": outcome}))

    def next_refunds(self, *outcomes: str) -> None:
        """The next refunds end like this: succeeded, pending, requires_action, failed, succeeded_then_failed."""
        self.call("POST", "/refunds/next", {"outcomes": list(outcomes)})

    def settle_refund(self, refund: str) -> Json:
        return self._dict(self.call("POST", f"/refunds/{refund}/settle", {}))

    def fail_refund(self, refund: str, *, reason: str = "lost_or_stolen_card") -> Json:
        return self._dict(self.call("POST", f"/refunds/{refund}/fail", {"reason": reason}))

    def refund_from_dashboard(self, charge: str, *, amount: int | None = None, reason: str | None = None) -> Json:
        """A refund somebody made at Stripe: no metadata. charge: a charge's or a payment intent's id."""
        return self._dict(self.call("POST", "/refunds/from_dashboard", {"charge": charge, "amount": amount, "reason": reason}))

    # faults and webhooks

    def fault(self, kind: str, **options: Any) -> Json:
        """Arm a fault: see faults.py for kinds; options method, path, count, skip, seconds, status, work."""
        return self._dict(self.call("POST", "/faults", {"kind": kind, **options}))

    def clear_faults(self) -> None:
        self.call("DELETE", "/faults")

    def endpoint(self, url: str, *, secret: str, enabled_events: list[str] | None = None) -> Json:
        """Register a webhook endpoint with a secret of the caller's choice; again for the same URL changes it."""
        return self._dict(
            self.call("POST", "/webhooks/endpoint", {"url": url, "secret": secret, "enabled_events": enabled_events or ["*"]})
        )

    def delivery(self, mode: str = "normal", **options: Any) -> None:
        """How events are delivered from now on: see deliveries.py for modes; options types, count, seconds, batch."""
        self.call("POST", "/webhooks/mode", {"mode": mode, **options})

    def release(self) -> int:
        return int(self.call("POST", "/webhooks/release", {})["released"])

    def flush(self, *, timeout: float = 30.0) -> None:
        """Every delivery that is due has been tried on return. Raises ControlRefused after `timeout` seconds."""
        self.call("POST", "/webhooks/flush", {"timeout": timeout})

    def resend(self, event: str) -> None:
        """Queue an event again for every endpoint, as Stripe's dashboard can."""
        self.call("POST", f"/events/{event}/resend", {})

    # what happened

    def requests(self, *, method: str | None = None, path: str = "") -> list[Json]:
        """Requests received, oldest first: method, path, idempotency_key, params, status, replayed, fault."""
        found: list[Json] = self.call("GET", "/requests")["data"]
        return [r for r in found if method in (None, r["method"]) and r["path"].startswith(path)]

    def deliveries(self) -> list[Json]:
        found: list[Json] = self.call("GET", "/deliveries")["data"]
        return found

    def change_movement(self, movement: str, *, account: str = "", **fields: Any) -> Json:
        return self._dict(self.call("POST", f"/balance_transactions/{movement}/change", {**fields, "account": account}))

    def remove_movement(self, movement: str, *, account: str = "") -> Json:
        return self._dict(self.call("POST", f"/balance_transactions/{movement}/remove", {"account": account}))

    def load(self, records: list[Json]) -> Json:
        """Create objects in bulk without webhooks; see README.md for the records. Counts per kind."""
        return self._dict(self.call("POST", "/load", {"records": records}))

    @staticmethod
    def _dict(answer: Any) -> Json:
        found: Json = answer
        return found
