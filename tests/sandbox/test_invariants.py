"""Whatever buyers, banks and staff do, the stand-in's own books add up and it speaks as Stripe's description says."""

from collections.abc import Callable
from typing import Any

import stripe
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from sandbox.stripe.refunds import OUTCOMES
from sandbox.stripe.server import Sandbox
from tests.contract.stripe.recording import Recorder
from tests.sandbox.conftest import client_of
from tests.sandbox.paying import balance, paid_intent
from tests.sizes import SIZES

NOT_COUNTED = ("failed", "canceled")


class Books(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.recorder = Recorder(tolerant=True)
        self.sandbox = Sandbox(observer=self.recorder.exchange, webhook_observer=self.recorder.webhook).start()
        self.client = client_of(self.sandbox.url)
        self.sandbox.control.set_clock(1_900_000_000, stopped=True)  # nothing happens between two looks
        self.refusals: set[str] = set()
        self.charges: list[str] = []

    def teardown(self) -> None:
        self.sandbox.stop()
        problems = self.recorder.problems()
        assert not problems, "\n".join(problems)

    def _pick(self, found: list[str], at: int) -> str:
        return found[at % len(found)]

    @rule(amount=st.integers(50, 20_000), card=st.sampled_from(["pm_card_visa", "pm_card_createDispute", "pm_card_refundFail"]))
    def pay(self, amount: int, card: str) -> None:
        self.charges.append(paid_intent(self.client, amount, card=card).latest_charge)

    @rule(at=st.integers(0, 9), amount=st.integers(1, 20_000), outcome=st.sampled_from(OUTCOMES))
    def refund(self, at: int, amount: int, outcome: str) -> None:
        if not self.charges:
            return
        self.sandbox.control.next_refunds(outcome)
        try:
            self.client.v1.refunds.create({"charge": self._pick(self.charges, at), "amount": amount})
        except stripe.InvalidRequestError as refused:
            self.refusals.add(str(refused.code))

    @rule(at=st.integers(0, 9), step=st.sampled_from(["settle", "fail", "cancel"]))
    def move_on(self, at: int, step: str) -> None:
        waiting = [r.id for r in self.client.v1.refunds.list().data if r.status in ("pending", "requires_action")]
        if not waiting:
            return
        control = self.sandbox.control
        moves: dict[str, Callable[[str], object]] = {
            "settle": control.settle_refund,
            "fail": control.fail_refund,
            "cancel": self.client.v1.refunds.cancel,
        }
        moves[step](self._pick(waiting, at))

    @rule(at=st.integers(0, 9), outcome=st.sampled_from(["won", "lost"]))
    def decide(self, at: int, outcome: str) -> None:
        unanswered = [d.id for d in self.client.v1.disputes.list().data if d.status == "needs_response"]
        if unanswered:
            self.sandbox.control.decide_dispute(self._pick(unanswered, at), outcome)

    @rule(seconds=st.sampled_from([1, 6, 86_400]))
    def wait(self, seconds: int) -> None:
        self.sandbox.control.advance(seconds)

    @invariant()
    def refusals_have_a_reason(self) -> None:
        assert self.refusals <= {"amount_too_large", "charge_already_refunded", "charge_disputed"}

    @invariant()
    def charges_know_their_refunds(self) -> None:
        refunds: list[Any] = list(self.client.v1.refunds.list({"limit": 100}).auto_paging_iter())
        for charge in self.client.v1.charges.list({"limit": 100}).auto_paging_iter():
            counted = sum(r.amount for r in refunds if r.charge == charge.id and r.status not in NOT_COUNTED)
            assert charge.amount_refunded == counted <= charge.amount

    @invariant()
    def the_balance_is_the_sum_of_its_transactions(self) -> None:
        movements = list(self.client.v1.balance_transactions.list({"limit": 100}).auto_paging_iter())

        assert balance(self.client) == sum(m.net for m in movements)
        assert all(m.net == m.amount - m.fee for m in movements)


TestBooks = Books.TestCase
TestBooks.settings = settings(max_examples=SIZES.state_machine_examples, stateful_step_count=SIZES.state_machine_steps, deadline=None)
