"""Workers who issue at once: every number once, none left out, one receipt for a payment."""

from collections.abc import Callable
from typing import Any

import pytest

from billing import fulfillment, invariants
from billing.documents import issuing
from billing.models import Document
from organizations.models import Organization
from tests import flows
from tests.billing.conftest import Shop
from tests.factories.billing import paid_payment
from tests.sizes import SIZES

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.gap("9.3")]
type Race = Callable[[int, Callable[[int], Any]], list[Any]]


class Rollback(Exception):
    """A worker that dies after it had taken a number."""


@pytest.fixture
def organization(monkeypatch: pytest.MonkeyPatch) -> Organization:
    monkeypatch.setitem(fulfillment._handlers, "test", Shop())
    return flows.organization()


class TestNumbers:
    def test_of_workers_at_once_follow_each_other_also_where_some_die(
        self, organization: Organization, race: Race, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        payments = [paid_payment(organization=organization) for _ in range(SIZES.refunds)]
        real = issuing.record

        def issue(number: int) -> Any:
            return issuing.issue(payment_id=payments[number].pk)

        def dies(*args: Any, **values: Any) -> Any:
            if args[0].payment_id in doomed:
                doomed.discard(args[0].payment_id)
                raise Rollback
            return real(*args, **values)

        doomed = {payment.pk for payment in payments[::3]}
        died = len(doomed)
        monkeypatch.setattr(issuing, "record", dies)

        results = race(len(payments), issue)

        monkeypatch.setattr(issuing, "record", real)
        assert [type(each) for each in results].count(Rollback) == died
        numbers = sorted(Document.objects.values_list("number", flat=True))
        assert numbers == list(range(1, len(payments) - died + 1))
        for payment in payments:
            issuing.issue(payment_id=payment.pk)

        numbers = sorted(Document.objects.values_list("number", flat=True))
        assert numbers == list(range(1, len(payments) + 1))
        assert list(invariants.documents_without_gaps()) == []

    def test_of_one_payment_are_one(self, organization: Organization, race: Race) -> None:
        payment = paid_payment(organization=organization)

        results = race(SIZES.refunds, lambda _number: issuing.issue(payment_id=payment.pk))

        assert sum(len(each) for each in results) == 1
        assert Document.objects.get().number == 1
