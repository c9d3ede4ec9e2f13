"""A shop that remembers what it was told, and short words for what buyers, Stripe and the worker do."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from billing import fulfillment
from billing.gateway.selection import gateway
from billing.gateway.signatures import BadSignature
from billing.models import Document, Payment, Plan, Refund, Subscription
from billing.webhooks import receiving
from ledger import balances
from ledger.chart import REFUNDS_IN_FLIGHT, STRIPE_BALANCE
from sandbox.stripe.server import Sandbox
from tests.billing.bank import Bank
from tests.billing.subscribers import ask, heard, pay
from tests.conftest import hear_of_accounts
from tests.draining import drain
from tests.factories.billing import checkout_session
from tests.factories.people import Personas, personas
from tests.factories.plans import plan


class Shop:
    """Fulfillment of purpose "test": keeps each call as (what, payment's key); `refuses` is raised by the next one."""

    def __init__(self) -> None:
        self.told: list[tuple[str, UUID]] = []
        self.refuses: Exception | None = None

    def _keep(self, what: str, payment: Payment) -> None:
        if self.refuses is not None:
            error, self.refuses = self.refuses, None
            raise error
        self.told.append((what, payment.pk))

    def on_paid(self, payment: Payment, **_: Any) -> None:
        self._keep("paid", payment)

    def on_failed(self, payment: Payment, **_: Any) -> None:
        self._keep("failed", payment)

    def on_refunded(self, refund: Refund, **_: Any) -> None:
        self._keep(f"refunded {refund.amount} of {refund.payment.amount_refunded}", refund.payment)

    def on_disputed(self, payment: Payment, **_: Any) -> None:
        self._keep("disputed", payment)

    def responsible(self, payment: Payment) -> UUID | None:
        return payment.responsible_id

    def document_url(self, payment: Payment, document: Document) -> str:
        return f"https://shop.example/{document.public_id}"

    def words(self) -> list[str]:
        return [what for what, _ in self.told]


@pytest.fixture(autouse=True)
def shop(monkeypatch: pytest.MonkeyPatch) -> Shop:
    made = Shop()
    monkeypatch.setitem(fulfillment._handlers, "test", made)
    return made


class Till:
    """The way of money: Checkout, webhooks, the queue, Stripe's clock."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox, self.control = sandbox, sandbox.control

    def pay(self, payment: Payment, **how: Any) -> Any:
        """The buyer pays on Stripe's page; nothing has reached us on return."""
        return self.control.pay(checkout_session(payment), **how)

    def deliver(self) -> int:
        """Take in every webhook that is due, as our endpoint does."""

        def post(url: str, headers: dict[str, str], body: bytes) -> int:
            try:
                receiving.receive(endpoint="platform", body=body, signature=headers["Stripe-Signature"])
            except BadSignature:
                return 400
            return 200

        return self.sandbox.deliver(post)

    def work(self, *, delayed: bool = False) -> None:
        """Webhooks in, queue empty, until nothing is left."""
        while self.deliver() + drain(delayed=delayed):
            pass

    def settle(self) -> None:
        """Let Stripe book what it books late, and hear of it."""
        self.work()
        self.control.advance(10)
        self.work(delayed=True)

    def calls(self, method: str, path: str) -> list[dict[str, Any]]:
        return self.control.requests(method=method, path=path)

    def refunds(self, payment: Payment) -> list[tuple[str, int]]:
        """(status, amount) of what Stripe refunded, oldest first."""
        found = list(gateway().refunds_of(Payment.objects.get(pk=payment.pk).stripe_payment_intent_id or ""))
        return [(refund.status, refund.amount) for refund in found[::-1]]


@pytest.fixture
def till(sandbox: Sandbox) -> Till:
    return Till(sandbox)


@pytest.fixture
def books() -> Callable[[], None]:
    """Assert that the books are whole and agree with Stripe and with the refunds."""

    def check() -> None:
        assert not any(balances.totals().values())
        theirs = {currency: amount for currency, amount in gateway().balance().items() if amount}
        assert {currency: amount for currency, amount in balances.balances(STRIPE_BALANCE).items() if amount} == theirs
        assert not any(balances.balances(REFUNDS_IN_FLIGHT).values())

    return check


@pytest.fixture
def bank(sandbox: Sandbox, settings: Any) -> Bank:
    hear_of_accounts(sandbox, settings)
    return Bank(sandbox)


@pytest.fixture
def people() -> Personas:
    return personas()


@pytest.fixture
def plans(sandbox: Sandbox, run_jobs: Callable[..., int]) -> dict[str, Plan]:
    """Two plans for teams that Stripe has heard of."""
    made = {"small": plan("Small", month=4_900, audience="team", events_per_month=5), "large": plan("Large", month=19_900, audience="team")}
    run_jobs()
    return made


@pytest.fixture
def subscribed(sandbox: Sandbox, people: Personas, plans: dict[str, Plan], webhooks: Any, run_jobs: Any) -> Callable[[], Subscription]:
    def go() -> Subscription:
        pay(sandbox, ask(people))
        sandbox.control.advance(5)
        heard(webhooks, run_jobs)
        return Subscription.objects.get()

    return go
