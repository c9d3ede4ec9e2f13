"""Two readings of one account at Stripe cross: what was asked later counts."""

import threading
from collections.abc import Callable
from typing import Any, cast

import pytest

from audit.actor import Actor
from billing import connect
from billing.gateway.base import GatewayAccount, PaymentGateway
from billing.gateway.selection import gateway
from billing.models import ConnectedAccount
from tests.factories.accounts import account_answer, usable_account
from tests.factories.organizations import OrganizationFactory

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.gap("2.1")]
type Race = Callable[[int, Callable[[int], Any]], list[Any]]


class Answers:
    """Answers with `answer`, after `before` was done."""

    def __init__(self, answer: GatewayAccount, before: Callable[[], Any]) -> None:
        self.answer, self.before = answer, before

    def retrieve_account(self, _account_id: str) -> GatewayAccount:
        self.before()
        return self.answer


class TestReadings:
    def test_that_cross_leave_the_later_one(self, race: Race) -> None:
        organization = OrganizationFactory.create()
        account, asked, stored = usable_account(organization), threading.Event(), threading.Event()

        def early() -> None:
            asked.set()
            assert stored.wait(timeout=30)

        def read(number: int) -> None:
            slow = number == 0
            if not slow:
                assert asked.wait(timeout=30)
            answers = Answers(account_answer(organization, payouts_enabled=slow), early if slow else bool)
            with gateway.instead(cast(PaymentGateway, answers)):
                connect.refresh(account_id=account.pk, by=Actor.system("race"))
            stored.set()

        assert race(2, read) == [None, None]
        assert ConnectedAccount.objects.get().payouts_enabled is False
