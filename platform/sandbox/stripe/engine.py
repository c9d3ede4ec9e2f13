"""The life of one API request: key, fault, idempotency, parameters, work, stored answer."""

import base64
import binascii
import json
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit

from sandbox.stripe import (
    account,
    balance_transactions,
    charges,
    checkout_sessions,
    customers,
    disputes,
    due_tasks,
    events,
    expanding,
    faults,
    files,
    form,
    params,
    payment_intents,
    payment_methods,
    plans,
    refunds,
    webhook_endpoints,
)  # fmt: skip
from sandbox.stripe.connect import accounts, payouts, transfers
from sandbox.stripe.errors import Json, StripeError, idempotency_in_use, idempotency_mismatch, invalid, unauthorized
from sandbox.stripe.faults import Fault
from sandbox.stripe.recurring import checkout, invoices, paying, previews, subscriptions, test_clocks
from sandbox.stripe.routing import Call, Route, Router
from sandbox.stripe.world import ACCOUNT_ID, API_VERSION, World

MOST_REQUESTS = 20_000  # remembered for the control API
KEY_LIFETIME = 24 * 60 * 60  # seconds an idempotency key is remembered
_MODULES = (
    customers, payment_methods, payment_intents, charges, checkout_sessions, refunds, balance_transactions, events, webhook_endpoints,
    disputes, account, files, accounts, transfers, payouts, plans,
    subscriptions, invoices, previews, checkout, paying, test_clocks,
)  # fmt: skip


@dataclass
class Exchange:
    """One request and what became of it."""

    method: str
    target: str  # path with query
    headers: Mapping[str, str]  # names in lower case
    body: str
    status: int = 0
    answer: str = ""
    fault: Fault | None = None
    answer_headers: dict[str, str] = field(default_factory=dict)
    early_events: set[str] = field(default_factory=set)  # to be delivered before the answer is sent

    @property
    def key(self) -> str | None:
        return self.headers.get("idempotency-key") if self.method == "POST" else None


class Engine:
    def __init__(self, world: World) -> None:
        self.world = world
        self.router = Router(route for module in _MODULES for route in module.ROUTES)
        self._in_flight: set[str] = set()
        self.requests: deque[Json] = deque(maxlen=MOST_REQUESTS)  # what came in, oldest first

    def in_flight(self, key: str) -> bool:
        """Whether a request with this idempotency key is being executed."""
        with self.world.lock:
            return key in self._in_flight

    def answer(self, exchange: Exchange) -> None:
        """Execute an API request; the exchange holds the answer, which is durable, on return."""
        started = time.monotonic()
        claimed: str | None = None
        with self.world.lock:
            due_tasks.run(self.world)
            request_id = self.world.request_id()
            path = urlsplit(exchange.target).path
            exchange.fault = faults.take(self.world, exchange.method, path)
            try:
                _check_headers(self.world, exchange.headers)
                if exchange.fault and (refused := faults.refusal(exchange.fault)):
                    raise refused
                claimed = self._claim(exchange)
            except StripeError as error:
                _put(exchange, error.status, error.body)
        try:
            if not exchange.status:
                if exchange.fault and exchange.fault.kind == "slow":
                    time.sleep(max(0.0, exchange.fault.seconds - (time.monotonic() - started)))
                if not exchange.fault or exchange.fault.kind != "reset_before":
                    self._execute_once(exchange, path, request_id)
        finally:
            with self.world.lock:
                self._in_flight.discard(claimed or "")
        exchange.answer_headers.setdefault("Request-Id", request_id)
        exchange.answer_headers["Stripe-Version"] = exchange.headers.get("stripe-version", API_VERSION)
        if exchange.key:
            exchange.answer_headers["Idempotency-Key"] = exchange.key
        with self.world.lock:
            self._log(exchange)
            self.world.wake()

    def _claim(self, exchange: Exchange) -> str | None:
        key = exchange.key
        if key is None:
            return None
        if len(key) > 255:
            raise invalid("Idempotency keys must be at most 255 characters.", stored=False)
        if key in self._in_flight:
            raise idempotency_in_use(key)
        self._in_flight.add(key)
        return key

    def _execute_once(self, exchange: Exchange, path: str, request_id: str) -> None:
        """Replay the key's stored answer, or execute and store it, all in one transaction."""
        fingerprint = json.dumps([path, sorted(parse_qsl(exchange.body, keep_blank_values=True))])
        with self.world.lock, self.world.store.transaction():
            if exchange.key and self._replay(exchange, fingerprint):
                return
            self.world.cause = (request_id, exchange.key)
            self.world.early_events = exchange.early_events
            try:
                status, answer, stored = self._execute(exchange, path)
            finally:
                self.world.cause, self.world.early_events = (None, None), set()
            _put(exchange, status, answer)
            if exchange.key and stored:
                row = (exchange.key, self.world.now(), fingerprint, status, exchange.answer, request_id)
                self.world.store.sql.execute("INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?, ?)", row)

    def _replay(self, exchange: Exchange, fingerprint: str) -> bool:
        row = self.world.store.sql.execute(
            "SELECT at, fingerprint, status, body, request FROM answers WHERE key = ?", (exchange.key,)
        ).fetchone()
        if row is None or row[0] + KEY_LIFETIME <= self.world.now():
            return False
        if row[1] != fingerprint:
            error = idempotency_mismatch(exchange.key or "")
            _put(exchange, error.status, error.body)
            return True
        exchange.status, exchange.answer = row[2], row[3]
        exchange.answer_headers.update({"Idempotent-Replayed": "true", "Original-Request": row[4]})
        return True

    def _execute(self, exchange: Exchange, path: str) -> tuple[int, Json, bool]:
        """(status, answer, whether the key remembers it). What an error left behind is undone unless it is Stripe's own outcome."""
        sql = self.world.store.sql
        sql.execute("SAVEPOINT work")
        try:
            route, object_id = self.router.match(exchange.method, path)
            call, paths = self._call(exchange, route, object_id, path)
            if exchange.fault and exchange.fault.kind == "stored_500" and not exchange.fault.work:
                raise faults.broken()
            answer = expanding.expand(self.world, route.handle(self.world, call), paths)
            if exchange.fault and exchange.fault.kind == "stored_500":
                return 500, faults.broken().body, True
        except StripeError as error:
            if error.status != 402:  # a declined card leaves a failed charge and its events
                sql.execute("ROLLBACK TO work")
            return error.status, error.body, error.stored
        return 200, answer, True

    def _call(self, exchange: Exchange, route: Route, object_id: str, path: str) -> tuple[Call, list[str]]:
        text = exchange.body if exchange.method == "POST" else urlsplit(exchange.target).query
        given = params.read(route.fields, form.decode(text))
        paths = given.pop("expand", [])
        account_id = exchange.headers.get("stripe-account", ACCOUNT_ID)
        named = "" if account_id == ACCOUNT_ID else account_id
        if named and not route.for_accounts:
            raise invalid(f"The stand-in answers {route.pattern} for the platform only, not for {named}.", stored=False)
        return Call(object_id, given, path, named), paths

    def _log(self, exchange: Exchange) -> None:
        given = form.decode(exchange.body if exchange.method == "POST" else urlsplit(exchange.target).query)
        entry = {
            "method": exchange.method, "path": urlsplit(exchange.target).path, "idempotency_key": exchange.key, "params": given,
            "status": exchange.status or None, "replayed": "Idempotent-Replayed" in exchange.answer_headers,
            "fault": exchange.fault.kind if exchange.fault else None,
        }  # fmt: skip
        self.requests.append(entry)


def _put(exchange: Exchange, status: int, body: Json) -> None:
    exchange.status, exchange.answer = status, json.dumps(body)


def _check_headers(world: World, headers: Mapping[str, str]) -> None:
    """Any test key will do; a live key must never come here, and neither must another version of the API or another account."""
    _check_key(headers)
    version, account_id = headers.get("stripe-version", API_VERSION), headers.get("stripe-account", ACCOUNT_ID)
    if version != API_VERSION:
        raise invalid(f"Invalid Stripe API version: {version}. The sandbox speaks {API_VERSION}.", stored=False)
    if account_id != ACCOUNT_ID and world.store.find("account", account_id) is None:
        message = f"The provided key does not have access to account '{account_id}' (or that account does not exist)."
        raise StripeError(403, "invalid_request_error", message, code="account_invalid", stored=False)


def _check_key(headers: Mapping[str, str]) -> None:
    scheme, _, value = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            value = base64.b64decode(value, validate=True).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            value = ""
    if not value:
        raise unauthorized(
            "You did not provide an API key. You need to provide your API key in the Authorization header, using Bearer auth "
            "(e.g. 'Authorization: Bearer YOUR_SECRET_KEY'). See https://stripe.com/docs/api#authentication for details."
        )
    if value.startswith(("sk_live_", "rk_live_")):
        raise unauthorized("This is a sandbox: a live key has no business here. Nothing was done.")
    if not value.startswith(("sk_test_", "rk_test_")) or len(value) < 9:
        raise unauthorized(f"Invalid API Key provided: {value[:7]}****")
