"""Whatever is sold, refunded, disputed and lost on the way: the residual is exactly what was made different, and fixing it leaves none."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from billing.models import Payment
from billing.reconciliation import fixing
from sandbox.stripe.server import Sandbox
from tests.billing.reconciliation.conftest import Desk
from tests.billing.reconciliation.test_differences import (
    amount_changed,
    currency_changed,
    disputed_unheard,
    fee_changed,
    movement_removed,
    paid_out_at_stripe,
    payment_lost,
    refunded_at_stripe,
)
from tests.draining import drain
from tests.factories.billing import again, payment_at_stripe, requested_refund
from tests.sizes import SIZES

pytestmark = [pytest.mark.django_db, pytest.mark.gap("2.2")]
FAULTS = {
    function.__name__: function
    for function in (
        amount_changed,
        currency_changed,
        disputed_unheard,
        fee_changed,
        movement_removed,
        paid_out_at_stripe,
        payment_lost,
        refunded_at_stripe,
    )
}
BUSINESS = ("sale", "refund", "refund that fails")
STEPS = st.lists(st.tuples(st.sampled_from([*BUSINESS, *FAULTS]), st.sampled_from(["USD", "JPY", "KWD"])), min_size=1, max_size=6)


@contextmanager
def forgotten(sandbox: Sandbox) -> Iterator[None]:
    """On both sides, at the end."""
    block: Any = transaction.atomic()
    block._from_testcase = True  # as the test's own: Stripe may be asked inside it
    try:
        with block:
            yield
            transaction.set_rollback(True)
    finally:
        sandbox.control.reset()


def trade(sandbox: Sandbox, what: str, currency: str) -> None:
    """Business that both sides hear of."""
    payment = payment_at_stripe(sandbox, currency=currency)
    if what != "sale":
        if what == "refund that fails":
            sandbox.control.next_refunds("failed")
        requested_refund(Payment.objects.get(pk=payment.pk), 2000)
        drain()
        assert again(payment).amount_refunded == (2000 if what == "refund" else 0)


class TestResidual:
    @hypothesis_settings(
        max_examples=max(10, SIZES.state_machine_examples), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(steps=STEPS)
    def test_is_what_was_made_different_and_nothing_after_it_is_fixed(self, desk: Desk, sandbox: Sandbox, steps: list[Any]) -> None:
        with forgotten(sandbox):
            expected: dict[str, int] = {}
            once = {step for step in steps if step[0] == "paid_out_at_stripe"}  # its id is made of its amount
            for what, currency in [*(step for step in steps if step not in once), *sorted(once)]:
                if what in BUSINESS:
                    trade(sandbox, what, currency)
                    continue
                for unit, amount in FAULTS[what](sandbox, currency).items():
                    expected[unit] = expected.get(unit, 0) + amount

            run = desk.run()
            assert desk.residuals(run) == {currency: amount for currency, amount in expected.items() if amount}
            for row in desk.live():
                fixing.write_off(discrepancy_id=row.pk, reason="Part of a property test", by=desk.by)
            assert desk.residuals(desk.run()) == {}
            assert desk.live() == []
