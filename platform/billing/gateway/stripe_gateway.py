"""Stripe's own words, spoken in one place. Source of the shapes: Stripe's API, version 2026-08-26.dahlia."""

import io
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import stripe
from django.conf import settings

from billing.gateway import answers
from billing.gateway.base import (
    GatewayAccount,
    GatewayBusy,
    GatewayDispute,
    GatewayError,
    GatewayEvent,
    GatewayFile,
    GatewayIntent,
    GatewayPayout,
    GatewayRefund,
    GatewayRefused,
    GatewayReversal,
    GatewaySession,
    GatewayTransfer,
    GatewayUnknown,
    Held,
    MovementPage,
)
from billing.gateway.stripe_subscriptions import StripeSubscriptions
from core.outside_calls import forbid_open_transaction

stripe.enable_telemetry = False
_BUSY_CODES = frozenset({"lock_timeout", "idempotency_key_in_use", "rate_limit"})


def _translated(error: stripe.StripeError) -> GatewayError:
    status, code, text = error.http_status, error.code or "", error.user_message or str(error)
    if status is None:
        return GatewayUnknown(text, code=code)
    if status == 429 or code in _BUSY_CODES or status == 409:
        return GatewayBusy(text, code=code)
    if status >= 500:
        return GatewayUnknown(text, code=code, answered=True)
    return GatewayRefused(text, code=code)


def _files_base() -> str:
    """Stripe takes uploads at a host of its own; the stand-in takes them where it takes the rest."""
    base: str = settings.STRIPE_API_BASE
    return "https://files.stripe.com" if base == "https://api.stripe.com" else base


class StripeGateway(StripeSubscriptions):
    """patient: see billing.gateway.selection."""

    def __init__(self, *, patient: bool = True) -> None:
        self.client = stripe.StripeClient(
            settings.STRIPE_SECRET_KEY,
            stripe_version=settings.STRIPE_API_VERSION,
            base_addresses={"api": settings.STRIPE_API_BASE, "files": _files_base()},
            max_network_retries=settings.STRIPE_NETWORK_RETRIES if patient else 0,
            http_client=stripe.RequestsClient(timeout=settings.STRIPE_TIMEOUT if patient else settings.STRIPE_REQUEST_TIMEOUT),
        )

    def _ask[T](self, call: Callable[[], T]) -> T:
        forbid_open_transaction()
        try:
            return call()
        except stripe.StripeError as error:
            raise _translated(error) from error
        except (json.JSONDecodeError, OSError) as error:  # an answer cut short is no answer
            raise GatewayUnknown(str(error)) from error

    def create_checkout_session(self, parameters: dict[str, Any], *, key: str) -> GatewaySession:
        params: Any = parameters
        return answers.session(self._ask(lambda: self.client.v1.checkout.sessions.create(params, {"idempotency_key": key})))

    def retrieve_checkout_session(self, session_id: str) -> GatewaySession:
        return answers.session(self._ask(lambda: self.client.v1.checkout.sessions.retrieve(session_id)))

    def expire_checkout_session(self, session_id: str, *, key: str) -> GatewaySession:
        return answers.session(self._ask(lambda: self.client.v1.checkout.sessions.expire(session_id, {}, {"idempotency_key": key})))

    def retrieve_intent(self, intent_id: str) -> GatewayIntent:
        expand: Any = {"expand": ["latest_charge.balance_transaction"]}
        return answers.intent(self._ask(lambda: self.client.v1.payment_intents.retrieve(intent_id, expand)))

    def intent_of(self, charge_id: str) -> GatewayIntent | None:
        intent = self._ask(lambda: self.client.v1.charges.retrieve(charge_id)).payment_intent
        return self.retrieve_intent(intent if isinstance(intent, str) else intent.id) if intent else None

    def receipt_url(self, charge_id: str) -> str | None:
        return self._ask(lambda: self.client.v1.charges.retrieve(charge_id)).receipt_url

    def create_refund(self, parameters: dict[str, Any], *, key: str) -> GatewayRefund:
        params: Any = parameters
        return answers.refund(self._ask(lambda: self.client.v1.refunds.create(params, {"idempotency_key": key})))

    def retrieve_refund(self, refund_id: str) -> GatewayRefund:
        return answers.refund(self._ask(lambda: self.client.v1.refunds.retrieve(refund_id)))

    def refunds_of(self, intent_id: str) -> Iterator[GatewayRefund]:
        page = self._ask(lambda: self.client.v1.refunds.list({"payment_intent": intent_id, "limit": 100}))
        for found in self._ask(lambda: list(page.auto_paging_iter())):
            yield answers.refund(found)

    def retrieve_dispute(self, dispute_id: str) -> GatewayDispute:
        return answers.dispute(self._ask(lambda: self.client.v1.disputes.retrieve(dispute_id)))

    def update_dispute(self, dispute_id: str, parameters: dict[str, Any], *, key: str) -> GatewayDispute:
        params: Any = parameters
        return answers.dispute(self._ask(lambda: self.client.v1.disputes.update(dispute_id, params, {"idempotency_key": key})))

    def close_dispute(self, dispute_id: str, *, key: str) -> GatewayDispute:
        return answers.dispute(self._ask(lambda: self.client.v1.disputes.close(dispute_id, {}, {"idempotency_key": key})))

    def upload_evidence(self, name: str, content: bytes, *, key: str) -> GatewayFile:
        file = io.BytesIO(content)
        file.name = name
        params: Any = {"purpose": "dispute_evidence", "file": file}
        return GatewayFile(self._ask(lambda: self.client.v1.files.create(params, {"idempotency_key": key})).id)

    def balance(self) -> dict[str, int]:
        return {currency: held.available + held.pending for currency, held in self.holdings().items()}

    def holdings(self, *, account: str | None = None) -> dict[str, Held]:
        options: Any = {"stripe_account": account} if account else {}
        found = self._ask(lambda: self.client.v1.balance.retrieve({}, options))
        available = {part.currency.upper(): part.amount for part in found.available}
        pending = {part.currency.upper(): part.amount for part in found.pending}
        return {one: Held(available.get(one, 0), pending.get(one, 0)) for one in sorted(available.keys() | pending.keys())}

    def create_account(self, parameters: dict[str, Any], *, key: str) -> GatewayAccount:
        params: Any = parameters
        return answers.account(self._ask(lambda: self.client.v1.accounts.create(params, {"idempotency_key": key})))

    def retrieve_account(self, account_id: str) -> GatewayAccount:
        return answers.account(self._ask(lambda: self.client.v1.accounts.retrieve(account_id)))

    def accounts_since(self, moment: datetime) -> Iterator[GatewayAccount]:
        since: Any = {"created": {"gte": int(moment.timestamp())}, "limit": 100}
        page = self._ask(lambda: self.client.v1.accounts.list(since))
        for found in self._ask(lambda: list(page.auto_paging_iter())):
            yield answers.account(found)

    def create_account_link(self, parameters: dict[str, Any], *, key: str) -> str:
        params: Any = parameters
        return str(self._ask(lambda: self.client.v1.account_links.create(params, {"idempotency_key": key})).url)

    def create_transfer(self, parameters: dict[str, Any], *, key: str) -> GatewayTransfer:
        params: Any = parameters
        return answers.transfer(self._ask(lambda: self.client.v1.transfers.create(params, {"idempotency_key": key})))

    def retrieve_transfer(self, transfer_id: str) -> GatewayTransfer:
        return answers.transfer(self._ask(lambda: self.client.v1.transfers.retrieve(transfer_id)))

    def transfers_of(self, group: str) -> Iterator[GatewayTransfer]:
        page = self._ask(lambda: self.client.v1.transfers.list({"transfer_group": group, "limit": 100}))
        for found in self._ask(lambda: list(page.auto_paging_iter())):
            yield answers.transfer(found)

    def create_reversal(self, transfer_id: str, parameters: dict[str, Any], *, key: str) -> GatewayReversal:
        params: Any = parameters
        return answers.reversal(self._ask(lambda: self.client.v1.transfers.reversals.create(transfer_id, params, {"idempotency_key": key})))

    def reversals_of(self, transfer_id: str) -> Iterator[GatewayReversal]:
        page = self._ask(lambda: self.client.v1.transfers.reversals.list(transfer_id, {"limit": 100}))
        for found in self._ask(lambda: list(page.auto_paging_iter())):
            yield answers.reversal(found)

    def create_payout(self, parameters: dict[str, Any], *, account: str, key: str) -> GatewayPayout:
        params: Any = parameters
        options: Any = {"idempotency_key": key, "stripe_account": account}
        return answers.payout(self._ask(lambda: self.client.v1.payouts.create(params, options)))

    def retrieve_payout(self, payout_id: str, *, account: str) -> GatewayPayout:
        return answers.payout(self._ask(lambda: self.client.v1.payouts.retrieve(payout_id, {}, {"stripe_account": account})))

    def payouts_since(self, moment: datetime, *, account: str) -> Iterator[GatewayPayout]:
        since: Any = {"created": {"gte": int(moment.timestamp())}, "limit": 100}
        page = self._ask(lambda: self.client.v1.payouts.list(since, {"stripe_account": account}))
        for found in self._ask(lambda: list(page.auto_paging_iter())):
            yield answers.payout(found)

    def balance_transactions(self, *, account: str, since: datetime | None, after: str) -> MovementPage:
        params: Any = {"limit": 100, "expand": ["data.source"]}
        if since is not None:
            params["created"] = {"gte": int(since.timestamp())}
        if after:
            params["starting_after"] = after
        options: Any = {"stripe_account": account} if account else {}
        page = self._ask(lambda: self.client.v1.balance_transactions.list(params, options))
        return MovementPage([answers.movement(found) for found in page.data], page.has_more)

    def events_since(self, moment: datetime, *, account: str = "") -> Iterator[GatewayEvent]:
        since: Any = {"created": {"gte": int(moment.astimezone(UTC).timestamp())}, "limit": 100}
        whose: Any = {"stripe_account": account} if account else {}
        page = self._ask(lambda: self.client.v1.events.list(since, whose))
        for event in self._ask(lambda: list(page.auto_paging_iter())):
            yield GatewayEvent(id=event.id, body=json.dumps({**event.to_dict(), **({"account": account} if account else {})}))
