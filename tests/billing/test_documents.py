"""Receipts and credit notes: one for each fact, numbered without gaps, never changed."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import DatabaseError, IntegrityError, transaction
from django.utils import timezone

from audit.models import AuditEntry
from billing import invariants, refund_approval, sweeps
from billing.documents import issuing
from billing.models import Document, DocumentSeries, Payment, Refund
from core.models import Job
from notifications.models import Message
from organizations.models import Organization
from tests.billing.test_refund_books import hear
from tests.draining import drain
from tests.factories.billing import again, finance, intent_for, paid_payment, pending_payment, requested_refund, sync
from tests.factories.organizations import OrganizationFactory

pytestmark = [pytest.mark.django_db, pytest.mark.gap("9.3")]


def issued(payment: Payment) -> list[str]:
    return [document.shown_number for document in issuing.issue(payment_id=payment.pk)]


def shown(payment: Payment) -> list[str]:
    return [document.shown_number for document in Document.objects.filter(payment=payment).order_by("id")]


def this_year() -> int:
    return timezone.now().astimezone(UTC).year


@pytest.fixture
def organization() -> Organization:
    return OrganizationFactory.create()


class TestIssue:
    def test_gives_a_captured_payment_one_receipt(self, organization: Organization) -> None:
        payment = paid_payment(organization=organization)

        assert (issued(payment), issued(payment)) == ([f"R-{this_year()}-000001"], [])
        receipt = Document.objects.get()
        assert (receipt.amount, receipt.currency, receipt.organization_id) == (5000, "USD", organization.pk)
        assert again(payment).documents_due_at is None
        assert AuditEntry.objects.filter(action="document.issued", object_id=receipt.pk).count() == 1

    def test_gives_an_unpaid_one_nothing(self) -> None:
        payment = pending_payment()
        assert issued(payment) == []
        assert not DocumentSeries.objects.exists()

    def test_gives_each_refund_that_succeeded_a_credit_note_about_the_receipt(self) -> None:
        payment = paid_payment()
        first, second = requested_refund(payment, 2000), requested_refund(payment, 1000)
        waiting = requested_refund(payment, 500)
        hear(first, "succeeded")
        hear(second, "succeeded")

        year = this_year()
        assert issued(payment) == [f"R-{year}-000001", f"C-{year}-000001", f"C-{year}-000002"]
        receipt, one, two = Document.objects.order_by("id")
        assert [(note.refund, note.amount, note.about) for note in (one, two)] == [(first, 2000, receipt), (second, 1000, receipt)]
        assert one.content["about"] == receipt.shown_number
        assert not waiting.documents.exists()

    def test_cancels_the_credit_note_of_a_refund_that_failed_after_success(self) -> None:
        payment = paid_payment()
        refund = requested_refund(payment, 2000)
        hear(refund, "succeeded")
        before = issued(payment)
        hear(refund, "failed", failure_reason="expired_or_canceled_card")

        assert (issued(payment), issued(payment)) == ([f"X-{this_year()}-000001"], [])
        cancellation = Document.objects.get(kind="cancellation")
        assert cancellation.about is not None
        assert cancellation.about.shown_number == before[1] == cancellation.content["about"]
        assert (cancellation.amount, cancellation.content["reason"]) == (2000, "expired_or_canceled_card")
        assert shown(payment) == [*before, cancellation.shown_number]

    def test_says_nothing_of_a_refund_that_failed_before_its_credit_note_was_issued(self) -> None:
        payment = paid_payment()
        refund = requested_refund(payment, 2000)
        hear(refund, "succeeded")
        hear(refund, "failed")

        assert issued(payment) == [f"R-{this_year()}-000001"]

    def test_gives_a_refund_that_is_tried_again_a_credit_note_of_its_own(self) -> None:
        payment = paid_payment()
        refund = requested_refund(payment, 2000)
        hear(refund, "succeeded")
        issued(payment)
        hear(refund, "failed")
        refund_approval.retry(refund_id=refund.pk, by=finance())
        hear(refund, "succeeded")

        year = this_year()
        assert issued(payment) == [f"X-{year}-000001", f"C-{year}-000002"]
        assert issued(payment) == []
        assert Document.objects.get(number=2).content["lines"] == [{"kind": "price", "description": "Ethics in practice", "amount": 2000}]

    def test_keeps_what_was_printed_when_the_organization_changes(self, organization: Organization) -> None:
        organization.legal_name, organization.address, organization.tax_id = "North gGmbH", "Weg 1\n20095 Hamburg", "DE1"
        organization.save()
        payment = paid_payment(organization=organization)
        refund = requested_refund(payment, 2000)
        issued(payment)
        organization.legal_name = "South Ltd"
        organization.save()
        hear(refund, "succeeded")
        issued(payment)

        sellers = [document.content["seller"]["legal_name"] for document in Document.objects.filter(payment=payment)]
        assert sellers == ["North gGmbH", "North gGmbH"]
        other = paid_payment(organization=organization)
        issued(other)
        assert Document.objects.get(payment=other).content["seller"]["legal_name"] == "South Ltd"


class TestNumbers:
    def test_run_for_each_organization_alone(self, organization: Organization) -> None:
        other = OrganizationFactory.create()
        numbers = [issued(paid_payment(organization=one))[0][-1] for one in (organization, other, organization, other, organization)]

        assert numbers == ["1", "1", "2", "2", "3"]

    def test_are_not_lost_by_a_transaction_that_is_rolled_back(self, organization: Organization) -> None:
        first, second = paid_payment(organization=organization), paid_payment(organization=organization)
        issued(first)
        with pytest.raises(RuntimeError), transaction.atomic():
            assert issued(second)[0].endswith("000002")
            raise RuntimeError("the worker dies")

        assert again(second).documents_due_at is not None
        assert issued(second)[0].endswith("000002")
        assert list(invariants.documents_without_gaps()) == []

    def test_begin_again_with_the_year(self, organization: Organization) -> None:
        midnight = datetime(this_year() + 1, 1, 1, tzinfo=UTC)
        made = []
        for moment in (midnight - timedelta(seconds=1), midnight, midnight + timedelta(days=1)):
            payment = paid_payment(organization=organization)
            with time_machine.travel(moment, tick=False):
                made += issued(payment)

        year = this_year()
        assert made == [f"R-{year}-000001", f"R-{year + 1}-000001", f"R-{year + 1}-000002"]

    def test_are_of_the_year_in_which_the_lock_was_got(self, organization: Organization, monkeypatch: pytest.MonkeyPatch) -> None:
        """One that waits for another one over midnight belongs to the new year."""
        midnight = datetime(this_year() + 1, 1, 1, tzinfo=UTC)
        payment = paid_payment(organization=organization)
        moments = iter([midnight - timedelta(seconds=1), *[midnight] * 3])
        monkeypatch.setattr("billing.documents.issuing.timezone", type("Clock", (), {"now": staticmethod(lambda: next(moments))}))

        assert issued(payment) == [f"R-{this_year() + 1}-000001"]
        assert DocumentSeries.objects.get(year=this_year()).last_number == 0


class TestTable:
    """What the database refuses, whoever writes."""

    def copy(self, document: Document, **changes: Any) -> Document:
        values = {field.attname: getattr(document, field.attname) for field in document._meta.concrete_fields if field.name != "id"}
        return Document.objects.create(**{**values, **changes})

    @pytest.fixture
    def receipt(self, organization: Organization) -> Document:
        payment = paid_payment(organization=organization)
        return issuing.issue(payment_id=payment.pk)[0]

    @pytest.mark.parametrize("number", [1, 3, 99])
    def test_a_number_that_does_not_follow_the_last_one(self, receipt: Document, number: int) -> None:
        other = paid_payment(organization=receipt.organization)
        with pytest.raises(IntegrityError, match="document"), transaction.atomic():
            self.copy(receipt, payment_id=other.pk, number=number)

    def test_a_number_of_another_year_than_its_date(self, receipt: Document) -> None:
        other = paid_payment(organization=receipt.organization)
        with pytest.raises(IntegrityError, match="another year"), transaction.atomic():
            self.copy(receipt, payment_id=other.pk, number=1, year=receipt.year + 1)

    def test_a_second_receipt_for_a_payment(self, receipt: Document) -> None:
        with pytest.raises(IntegrityError, match="document_receipt_once"), transaction.atomic():
            self.copy(receipt, number=2)

    def test_a_credit_note_about_nothing(self, receipt: Document) -> None:
        with pytest.raises(IntegrityError, match="document_about_something"), transaction.atomic():
            self.copy(receipt, number=1, kind="credit_note")

    def test_a_change_and_a_removal(self, receipt: Document) -> None:
        for change in (lambda rows: rows.update(amount=1), lambda rows: rows.delete()):
            with pytest.raises(DatabaseError, match="append_only"), transaction.atomic():
                change(Document.objects.filter(pk=receipt.pk))


class TestMails:
    def test_the_receipts_names_it_and_says_where_it_is(self) -> None:
        payment = pending_payment()
        sync(payment, intent_for(payment))
        drain()

        document, message = Document.objects.get(payment=payment), Message.objects.get(kind="payment_receipt")
        assert document.shown_number in message.text
        assert f"https://shop.example/{document.public_id}" in message.text

    def test_the_refunds_name_the_credit_note_and_its_cancellation(self) -> None:
        payment = paid_payment()
        refund = requested_refund(payment, 2000)
        hear(refund, "succeeded")
        drain()
        hear(refund, "failed")
        drain()

        year = this_year()
        assert f"C-{year}-000001" in Message.objects.get(kind="refund_settled").text
        assert f"X-{year}-000001" in Message.objects.get(kind="refund_failed").text

    def test_of_a_refund_that_never_succeeded_names_no_document(self) -> None:
        payment = paid_payment()
        hear(requested_refund(payment, 2000), "failed")
        drain()

        assert "X-" not in Message.objects.get(kind="refund_failed").text
        assert shown(payment) == [f"R-{this_year()}-000001"]


class TestSweep:
    def test_issues_what_a_lost_task_left_out_and_nothing_else(self, time_machine_at: Callable[..., Any]) -> None:
        late, refunded, unpaid = paid_payment(), paid_payment(), pending_payment()
        issued(refunded)
        hear(requested_refund(refunded, 1000), "succeeded")
        Job.objects.all().delete()
        sweeps.documents_due()
        assert shown(late) == []  # its task may still be on the way

        with time_machine_at(minutes=11):
            sweeps.documents_due()
        assert [len(shown(payment)) for payment in (late, refunded, unpaid)] == [1, 2, 0]
        assert not Payment.objects.exclude(documents_due_at=None).exists()


class TestInvariant:
    def test_names_a_series_with_a_gap(self, organization: Organization) -> None:
        issued(paid_payment(organization=organization))
        DocumentSeries.objects.update(last_number=2)

        assert list(invariants.documents_without_gaps()) == [
            f"{organization.public_id}: 1 receipts of {this_year()}, the last number is 1, and 2 were given out."
        ]

    def test_names_a_receipt_that_does_not_say_what_was_captured(self) -> None:
        payment = paid_payment()
        issued(payment)
        Payment.objects.filter(pk=payment.pk).update(amount_captured=4000)

        assert list(invariants.documents_without_gaps()) == [f"{payment.public_id}: the receipt does not say what was captured."]


def test_a_refund_recorded_from_stripe_has_a_credit_note_too() -> None:
    payment = paid_payment()
    refund = requested_refund(payment, 2000)
    hear(refund, "succeeded")
    drain()
    assert Refund.objects.get().documents.count() == 1
