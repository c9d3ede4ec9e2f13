"""The reconciliation desk: runs, and what they left."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from audit.actor import Actor
from billing.models import Discrepancy, ReconciliationRun
from billing.reconciliation import fixing, runs
from ledger import balances
from sandbox.stripe.server import Sandbox
from tests.draining import drain
from tests.factories.billing import finance, payment_at_stripe

LATER = timedelta(minutes=20)


class Desk:
    """run() has Stripe and the books compared as of twenty minutes later, when nothing is merely late any more."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox, self.control = sandbox, sandbox.control
        self.by: Actor = finance()

    def run(self, *, later: timedelta = LATER) -> ReconciliationRun:
        with time_machine.travel(timezone.now() + later):
            run = runs.start(by=Actor.system("tests"))
            drain()
        done = ReconciliationRun.objects.get(pk=run.pk)
        assert done.state == ReconciliationRun.State.DONE
        assert not any(balances.totals().values())
        return done

    def residuals(self, run: ReconciliationRun | None = None) -> dict[str, int]:
        """What the (last) run left, per currency; currencies without a residual left out."""
        run = run or ReconciliationRun.objects.latest("created_at")
        return {row["currency"]: row["residual"] for part in run.parts.all() for row in part.residuals if row["residual"]}

    def live(self) -> list[Discrepancy]:
        return list(Discrepancy.objects.filter(state__in=Discrepancy.LIVE).order_by("id"))

    def only(self) -> Discrepancy:
        """The one difference there is."""
        (found,) = self.live()
        return found

    def fix(self, operation: Callable[..., Any], **how: Any) -> None:
        operation(discrepancy_id=self.only().pk, by=self.by, **how)
        drain()

    def write_off(self) -> None:
        self.fix(fixing.write_off, reason="Too small to follow up")


@pytest.fixture
def desk(sandbox: Sandbox) -> Desk:
    return Desk(sandbox)


@pytest.fixture
def business(sandbox: Sandbox) -> Callable[[str], None]:
    """Payments and a refund in a currency that both sides know alike."""

    def trade(currency: str) -> None:
        for amount in (5000, 7000):
            payment_at_stripe(sandbox, currency=currency, amount=amount)

    return trade
