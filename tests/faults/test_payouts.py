"""A worker that dies on the way to the bank, at each step of transfer, payout and reversal: Stripe does each once, and the books say so."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from billing import fulfillment, refunds
from billing.models import ConnectedAccount, PayoutRequest, StripeCommand, Transfer, TransferReversal
from sandbox.stripe.server import Sandbox
from tests import flows
from tests.admin_ext.conftest import Nothing
from tests.billing.bank import Bank, earned, stranded
from tests.billing.trading import assert_books_are_stripes, assert_books_whole
from tests.conftest import hear_of_accounts
from tests.draining import drain
from tests.factories.billing import finance
from tests.factories.payouts import approved_payout, now
from tests.faults.test_reconciliation import held
from tests.faults.test_worker import IMPATIENT, somebody_waits_for_a_lock
from tests.processes import database_url, kill_group, until, worker
from tests.sizes import SIZES

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.gap("2.1"), pytest.mark.gap("9.8"), pytest.mark.rule("M10")]
TRANSFER, PAYOUT, REVERSAL = "/v1/transfers", "/v1/payouts", "/v1/transfers/"  # where each is asked for, as prefixes of a POST


@pytest.fixture
def bank(sandbox: Sandbox, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Bank:
    monkeypatch.setitem(fulfillment._handlers, "test", Nothing())
    hear_of_accounts(sandbox, settings)
    return Bank(sandbox)


def asked(bank: Bank, path: str) -> list[str]:
    """The keys of the calls that Stripe received for this, oldest first."""
    return [call["idempotency_key"] for call in bank.control.requests(method="POST", path=path)]


@contextmanager
def account_locked() -> Iterator[None]:
    """Another session holds the account's row: whoever wants to begin, or to write Stripe's answer down, has to wait."""
    with psycopg.connect(database_url()) as other:
        other.execute("SELECT 1 FROM billing_connectedaccount FOR UPDATE")
        yield


# where the worker dies


def as_it_begins(bank: Bank, path: str) -> None:
    with account_locked(), worker("money", IMPATIENT) as child:
        until(somebody_waits_for_a_lock, "the worker has taken the job and wants the account")
        kill_group(child)
    assert asked(bank, path) == []


def before_the_call(bank: Bank, path: str) -> None:
    with held("billing_stripecommand"), worker("money", IMPATIENT) as child:
        until(somebody_waits_for_a_lock, "the worker wants to write down what it is about to ask")
        kill_group(child)
    assert asked(bank, path) == []


def while_stripe_works(bank: Bank, path: str) -> None:
    bank.control.fault("timeout_after_success", method="POST", path=path, seconds=3)
    with worker("money", IMPATIENT) as child:
        until(lambda: asked(bank, path), "the call is at Stripe")
        kill_group(child)


def before_the_answer_is_written(bank: Bank, path: str) -> None:
    bank.control.fault("slow", method="POST", path=path, seconds=1)
    with worker("money", IMPATIENT) as child:
        until(lambda: StripeCommand.objects.filter(state="sent").exists(), "the worker asks Stripe")
        with account_locked():
            until(somebody_waits_for_a_lock, "Stripe has answered and the worker wants to write it down")
            kill_group(child)
    assert len(asked(bank, path)) == 1


# what it is doing


def to_the_bank(bank: Bank) -> PayoutRequest:
    """A payout that needs a transfer; its job waits."""
    return approved_payout(earned(bank))


def from_the_account(bank: Bank) -> PayoutRequest:
    """A payout of money that lies in the connected account already; its job waits."""
    organization, _ = stranded(bank)
    return approved_payout(organization)


def back_to_the_platform(bank: Bank) -> PayoutRequest:
    """A payout that came back, and a refund of what it was for; the job that fetches the money back waits."""
    organization, _ = stranded(bank)
    given = {"payment_id": organization.payments.get().pk, "amount": 20_000, "reason": "other", "source": "console"}
    flows.submit(refunds.request(**given, by=finance()))
    return PayoutRequest.objects.get()


Stop = Callable[[Bank, str], None]
STEPS: dict[str, tuple[Callable[[Bank], PayoutRequest], str, Stop]] = {
    "transfer answered": (to_the_bank, TRANSFER, before_the_answer_is_written),
    "payout at Stripe": (to_the_bank, PAYOUT, while_stripe_works),
    "reversal not asked for": (back_to_the_platform, REVERSAL, before_the_call),
    "nothing begun": (to_the_bank, TRANSFER, as_it_begins),
    "transfer not asked for": (to_the_bank, TRANSFER, before_the_call),
    "transfer at Stripe": (to_the_bank, TRANSFER, while_stripe_works),
    "payout not asked for": (from_the_account, PAYOUT, before_the_call),
    "payout answered": (to_the_bank, PAYOUT, before_the_answer_is_written),
    "reversal at Stripe": (back_to_the_platform, REVERSAL, while_stripe_works),
    "reversal answered": (back_to_the_platform, REVERSAL, before_the_answer_is_written),
}


class TestKillMinusNine:
    @pytest.mark.parametrize("step", list(STEPS)[: SIZES.payout_kills])
    def test_leaves_each_movement_once(self, bank: Bank, step: str) -> None:
        prepare, path, stop = STEPS[step]
        payout = prepare(bank)
        before = len(at_stripe(bank, "payout")), len(at_stripe(bank, "transfer"))
        bank.sandbox.engine.requests.clear()

        stop(bank, path)
        until(lambda: not somebody_waits_for_a_lock(), "PostgreSQL has noticed")
        assert now(payout).state in ("approved", "transferring", "failed"), "nothing was written that is not so"
        drain(delayed=True)  # what the next worker does, once the dead one's lease is over
        bank.work()

        expected = {to_the_bank: (1, 1, 0), from_the_account: (1, 0, 0), back_to_the_platform: (0, 0, 1)}[prepare]
        kinds = ("payout", "transfer", "transfer_reversal")
        assert tuple(len(at_stripe(bank, kind)) for kind in kinds) == tuple(
            each + more for each, more in zip((*before, 0), expected, strict=True)
        )
        assert len(set(asked(bank, path))) == 1, "the same key, however often it was sent"
        assert not Transfer.objects.exclude(state="succeeded").exists()
        assert not TransferReversal.objects.exclude(state="succeeded").exists()
        assert now(payout).state == ("failed" if prepare is back_to_the_platform else "in_transit")
        assert_books_whole()
        assert_books_are_stripes()


def at_stripe(bank: Bank, kind: str) -> list[dict[str, Any]]:
    account = ConnectedAccount.objects.get().stripe_account_id
    world = bank.sandbox.world
    with world.lock:
        found: list[dict[str, Any]] = world.store.select(f"{account}/{kind}" if kind == "payout" else kind)
    return found
