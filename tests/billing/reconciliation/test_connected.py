"""Connected accounts: what transfers and payouts moved there is compared like the platform's own, each account and currency by itself."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from audit.actor import Actor
from billing.gateway.base import GatewayBusy, GatewayMovement, GatewayRefused, MovementPage
from billing.models import Discrepancy, Payment, PayoutRequest, ReconciliationRun
from billing.reconciliation import accounts, fixing, runs, stepping
from tests.billing.test_payout_sync import begun, hear, moved
from tests.draining import drain
from tests.factories.billing import finance
from tests.factories.payouts import approved_payout, earning_organization, now

pytestmark = [pytest.mark.django_db, pytest.mark.gap("2.2"), pytest.mark.gap("2.1")]
AMOUNT, FEE = 50_000, 175


class Stripe:
    """Two accounts' movements, a page each. broken: what it answers for the connected account instead."""

    def __init__(self) -> None:
        self.pages: dict[str, list[GatewayMovement]] = {}
        self.broken: Exception | None = None

    def balance_transactions(self, *, account: str, since: Any, after: str) -> MovementPage:
        if account and self.broken is not None:
            raise self.broken
        return MovementPage(self.pages.get(account, []), has_more=False)

    def moves(self, account: str, kind: str, amount: int, **more: Any) -> None:
        at = timezone.now()
        name = f"txn_{len(self.pages.get(account, []))}_{account}"
        found = GatewayMovement(name, kind, kind, amount, more.pop("fee", 0), "USD", more.pop("source"), at, at, **more)
        self.pages.setdefault(account, []).insert(0, found)


@pytest.fixture
def payout() -> PayoutRequest:
    """On its way to the bank: earned, transferred, paid out."""
    asked = approved_payout(earning_organization(amount=AMOUNT))
    moved(begun(asked).transfers.get(), id="tr_1")
    return hear(asked, "pending", id="po_1", arrives_at=timezone.now())


@pytest.fixture
def stripe(payout: PayoutRequest, monkeypatch: pytest.MonkeyPatch) -> Stripe:
    """Stripe, as it saw the same things happen."""
    made = Stripe()
    account = payout.stripe_account_id
    made.moves("", "charge", AMOUNT, fee=FEE, source=Payment.objects.get().stripe_charge_id)
    made.moves("", "transfer", -AMOUNT, source="tr_1")
    made.moves(account, "payment", AMOUNT, source="py_1", claim="transfer:tr_1")
    made.moves(account, "payout", -AMOUNT, source="po_1")
    monkeypatch.setattr(stepping, "gateway", lambda: made)
    return made


def reconcile() -> ReconciliationRun:
    with time_machine.travel(timezone.now() + timedelta(minutes=20)):
        run = runs.start(by=Actor.system("tests"))
        drain()
    return ReconciliationRun.objects.get(pk=run.pk)


class TestConnectedAccounts:
    def test_agree_where_both_sides_saw_the_same(self, stripe: Stripe, payout: PayoutRequest) -> None:
        run = reconcile()

        assert run.state == "done"
        assert not Discrepancy.objects.exists()
        assert {part.account: part.checked for part in run.parts.all()} == {"": 2, payout.stripe_account_id: 2}
        assert [one.stripe_id for one in accounts.every()] == ["", payout.stripe_account_id]

    def test_agree_when_a_payout_comes_back_and_goes_out_again(self, stripe: Stripe, payout: PayoutRequest) -> None:
        hear(payout, "failed", id="po_1")
        stripe.moves(payout.stripe_account_id, "payout_failure", AMOUNT, source="po_1")

        run = reconcile()

        assert now(payout).state == PayoutRequest.State.FAILED
        assert (run.state, Discrepancy.objects.count()) == ("done", 0)

    def test_differ_each_by_itself(self, stripe: Stripe, payout: PayoutRequest) -> None:
        stripe.moves(payout.stripe_account_id, "payout", -700, source="po_by_hand")
        stripe.moves("", "payout", -300, source="po_of_the_platform")

        run = reconcile()

        residuals = {part.account: [row["residual"] for row in part.residuals] for part in run.parts.all()}
        assert residuals == {"": [-300], payout.stripe_account_id: [-700]}
        found = Discrepancy.objects.get(account=payout.stripe_account_id)
        assert (found.kind, found.organization_id) == (Discrepancy.Kind.EXTERNAL, payout.organization_id)
        with pytest.raises(fixing.NothingToAsk):  # only the platform's own payouts go into the platform's bank
            fixing.import_external(discrepancy_id=found.pk, by=finance())

        owner = str(payout.organization_id)
        fixing.adjust(discrepancy_id=found.pk, account="organizer_payable", owner=owner, reason="They paid themselves out", by=finance())

        assert [row["residual"] for row in reconcile().parts.get(account=payout.stripe_account_id).residuals] == [0]

    def test_that_stripe_refuses_leave_the_others_done_and_can_be_taken_up_again(self, stripe: Stripe, payout: PayoutRequest) -> None:
        stripe.broken = GatewayRefused("This account is gone.", code="account_invalid")
        run = reconcile()
        assert run.state == "failed"
        assert {part.account: part.state for part in run.parts.all()} == {"": "done", payout.stripe_account_id: "failed"}
        assert "This account is gone." in run.parts.get(state="failed").error

        stripe.broken = None
        runs.go_on(run_id=run.pk, by=finance())
        drain()

        assert ReconciliationRun.objects.get(pk=run.pk).state == "done"

    def test_wait_while_stripe_is_busy(self, stripe: Stripe, payout: PayoutRequest) -> None:
        stripe.broken = GatewayBusy("Slow down.")
        with time_machine.travel(timezone.now() + timedelta(minutes=20)):
            run = runs.start(by=Actor.system("tests"))
            drain()
            assert ReconciliationRun.objects.get(pk=run.pk).state == "running"
            stripe.broken = None
            drain(delayed=True)
        assert ReconciliationRun.objects.get(pk=run.pk).state == "done"
