"""Asking for a refund: what is recorded, and every reason to refuse."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone
from time_machine import travel

from audit.actor import Actor, StaffGroup
from audit.models import AuditEntry
from billing import refunds
from billing.models import Payment, Refund
from core.errors import InvalidInput, NotFound, PermissionRefused, StepUpRequired
from core.models import Job
from core.money import Money
from ledger import balances, posting
from ledger.chart import REFUNDS_IN_FLIGHT
from organizations.models import Organization
from tests.billing.test_disputes import open_dispute
from tests.billing.test_refund_books import hear
from tests.factories.billing import again, finance, paid_payment, pending_payment, requested_refund
from tests.factories.organizations import OrganizationFactory
from tests.factories.people import actor, personas, staff


def ask(payment: Payment, amount: int | None = 1000, **values: Any) -> Refund:
    return refunds.request(
        **{"payment_id": payment.pk, "amount": amount, "reason": "requested_by_customer", "source": "console", "by": finance(), **values}
    )


def jobs_called(name: str) -> int:
    return Job.objects.filter(name=name).count()


def nothing_happened(payment: Payment, *, refunds_before: int = 0) -> None:
    assert payment.refunds.count() == refunds_before
    assert jobs_called("billing.refund_submission.submit") == refunds_before
    assert AuditEntry.objects.filter(action="refund.requested").count() == refunds_before


@pytest.mark.gap("1.3")
@pytest.mark.rule("M9")
@pytest.mark.django_db
class TestRequest:
    def test_records_posts_audits_and_queues_and_moves_no_money(self) -> None:
        payment, by = paid_payment(), finance()
        refund = ask(payment, 1000, note="wrong date", by=by)

        assert (refund.state, refund.amount, refund.currency, refund.requested_by_id) == ("requested", 1000, "USD", by.user_id)
        assert (refund.stripe_refund_id, again(payment).amount_refunded, again(payment).state) == (None, 0, "succeeded")
        assert balances.balance(REFUNDS_IN_FLIGHT, "USD") == -1000
        assert posting.posted(f"refund:{refund.pk}:requested")
        entry = AuditEntry.objects.get(action="refund.requested")
        assert (entry.object_id, entry.organization_id, entry.user_id, entry.reason) == (
            refund.pk,
            payment.organization_id,
            by.user_id,
            "wrong date",
        )
        assert Job.objects.get(name="billing.refund_submission.submit").ids == {"refund_id": str(refund.pk)}
        assert jobs_called("billing.emails.send_refund_requested") == 1
        assert str(refund) == "Refund of 10.00 USD"

    def test_takes_several_up_to_what_was_captured_and_not_a_cent_more(self) -> None:
        payment = paid_payment()
        ask(payment, 4000)
        with pytest.raises(refunds.RefundExceedsBalance) as refused:
            ask(payment, 1001)
        assert refused.value.details == {"requested": 1001, "refundable": 1000, "currency": "USD"}
        assert str(refused.value) == "Only 10.00 USD of this payment can still be refunded."
        ask(payment, 1000)
        assert payment.refunds.taking_money().total() == 5000

    def test_refuses_what_is_refunded_or_on_its_way_back_whole(self) -> None:
        payment = paid_payment()
        ask(payment, 5000)
        for amount in (1, 5000, None):
            with pytest.raises(refunds.NothingToRefund, match="refunded in full"):
                ask(payment, amount)
        nothing_happened(payment, refunds_before=1)

    def test_counts_two_deliberate_refunds_of_one_amount_as_two(self) -> None:
        payment = paid_payment()
        assert ask(payment, 1000).pk != ask(payment, 1000).pk

    def test_takes_what_a_failed_refund_left(self) -> None:
        payment = paid_payment()
        hear(ask(payment, 5000), "failed")
        assert ask(payment, 5000).state == "requested"

    @pytest.mark.parametrize("state", ["pending", "failed", "expired"])
    def test_refuses_a_payment_that_was_not_paid(self, state: str) -> None:
        payment = pending_payment()
        if state == "failed":
            payment.fail(message="declined")
        if state == "expired":
            payment.expire()
        payment.save()
        with pytest.raises(refunds.NothingToRefund, match="not been paid"):
            ask(payment)
        nothing_happened(payment)

    @pytest.mark.parametrize("status", ["needs_response", "under_review", "warning_needs_response", "lost"])
    def test_refuses_a_payment_that_is_disputed_or_was_lost(self, status: str) -> None:
        payment = paid_payment()
        open_dispute(payment, status)
        with pytest.raises(refunds.PaymentDisputed):
            ask(payment)
        nothing_happened(payment)

    @pytest.mark.parametrize("status", ["won", "warning_closed"])
    def test_allows_a_payment_whose_dispute_came_to_nothing(self, status: str) -> None:
        payment = paid_payment()
        open_dispute(payment, "needs_response" if status == "won" else "warning_needs_response")
        open_dispute(payment, status)
        assert ask(payment).state == "requested"

    def test_refuses_another_currency(self) -> None:
        payment = paid_payment()
        with pytest.raises(refunds.WrongCurrency, match="made in USD; give the amount in USD"):
            ask(payment, currency="EUR")
        nothing_happened(payment)
        assert ask(payment, currency="USD").amount == 1000

    @pytest.mark.parametrize(("currency", "amount"), [("USD", 0), ("USD", -100), ("KWD", 1005), ("ISK", 150)])
    def test_refuses_an_amount_that_cannot_be(self, currency: str, amount: int) -> None:
        payment = paid_payment(currency=currency, amount=10_000, fee=None)
        with pytest.raises(InvalidInput) as refused:
            ask(payment, amount)
        assert refused.value.field == "amount"
        nothing_happened(payment)

    def test_refuses_an_unknown_reason(self) -> None:
        payment = paid_payment()
        with pytest.raises(InvalidInput, match="requested_by_customer, duplicate") as refused:
            ask(payment, reason="because")
        assert refused.value.field == "reason"
        nothing_happened(payment)

    def test_refuses_an_unknown_payment(self) -> None:
        with pytest.raises(NotFound):
            refunds.request(payment_id=uuid4(), amount=1, reason="other", by=finance(), source="console")


@pytest.mark.gap("1.3")
@pytest.mark.django_db
class TestRequestToken:
    def test_gives_the_same_refund_again(self) -> None:
        payment = paid_payment()
        first = ask(payment, 1000, request_token="dialog-1")
        assert ask(payment, 1000, request_token="dialog-1") == first
        assert ask(payment, None, request_token="dialog-1") == first
        nothing_happened(payment, refunds_before=1)

    def test_gives_it_again_when_nothing_is_left_or_all_has_failed(self) -> None:
        payment = paid_payment()
        first = ask(payment, 5000, request_token="dialog-1")
        hear(first, "failed")
        assert ask(payment, 5000, request_token="dialog-1") == first
        assert ask(payment, 5000, request_token="dialog-2") != first
        assert ask(payment, 5000, request_token="dialog-1") == first

    def test_is_refused_with_other_values(self) -> None:
        payment, other = paid_payment(), paid_payment()
        ask(payment, 1000, request_token="dialog-1")
        for wrong, amount in ((payment, 999), (other, 1000)):
            with pytest.raises(refunds.RequestTokenReused):
                ask(wrong, amount, request_token="dialog-1")
        nothing_happened(payment, refunds_before=1)

    def test_is_unique_in_the_database(self) -> None:
        payment = paid_payment()
        ask(payment, 1000, request_token="dialog-1")
        with pytest.raises(IntegrityError, match="request_token"), transaction.atomic():
            Refund.objects.create(payment=payment, amount=1, currency="USD", reason="other", source="api", request_token="dialog-1")


@pytest.mark.django_db
class TestPermission:
    def test_lets_the_organizations_people_and_finance_refund(self) -> None:
        people = personas()
        payment = paid_payment(organization=people.organization)
        for by in (people.as_alice, people.as_bob, finance(), staff(StaffGroup.SUPERUSER), Actor.system("cancelling")):
            assert ask(payment, 100, by=by).requested_by_id == by.user_id

    def test_hides_the_payment_from_outsiders(self) -> None:
        people = personas()
        payment = paid_payment(organization=people.organization)
        people.organization.memberships.filter(user=people.bob).update(ended_at=payment.created_at)
        for by in (
            people.as_charlie,
            people.as_bob,
            actor(people.alice, organization=people.elsewhere),
            Actor.anonymous(),
            Actor.guest(uuid4()),
        ):
            with pytest.raises(NotFound):
                ask(payment, by=by)
        nothing_happened(payment)

    def test_hides_what_an_organizer_does_not_answer_for(self) -> None:
        people = personas(organizer_scope=Organization.OrganizerScope.OWN)
        theirs = paid_payment(organization=people.organization, responsible_id=people.alice.pk)
        own = paid_payment(organization=people.organization, responsible_id=people.bob.pk)
        with pytest.raises(NotFound):
            ask(theirs, by=people.as_bob)
        assert ask(own, by=people.as_bob).state == "requested"
        assert ask(own, by=people.as_alice).state == "requested"

    def test_refuses_staff_who_may_only_look(self) -> None:
        payment = paid_payment()
        for group in (StaffGroup.SUPPORT, StaffGroup.AUDITOR):
            with pytest.raises(PermissionRefused) as refused:
                ask(payment, by=staff(group))
            assert refused.value.may == "payment.refund"
        nothing_happened(payment)

    @pytest.mark.rule("S24")
    def test_wants_the_second_factor_again_after_ten_minutes(self, settings: Any) -> None:
        people = personas()
        payment = paid_payment(organization=people.organization)
        by = people.as_alice
        with pytest.raises(StepUpRequired):
            ask(payment, by=actor(people.alice, stepped_up=False))
        with travel(timezone.now() + timedelta(minutes=10, seconds=1)):
            with pytest.raises(StepUpRequired):
                ask(payment, by=by)
            nothing_happened(payment)
            settings.SECOND_FACTOR_REQUIRED = False
            assert ask(payment, by=by).state == "requested"


@pytest.mark.django_db
class TestApprovalLimit:
    def test_is_the_organizations_then_the_platforms_then_none(self) -> None:
        organization = OrganizationFactory.create(refund_approval_limits={"EUR": 700})
        limits = {}
        for currency in ("USD", "EUR", "SEK"):
            limits[currency] = refunds.approval_limit(pending_payment(organization=organization, currency=currency)).amount
        assert limits == {"USD": 50_000, "EUR": 700, "SEK": 0}

    @pytest.mark.parametrize(("amount", "state"), [(1000, "requested"), (1001, "awaiting_approval")])
    def test_decides_whether_a_second_person_is_asked(self, amount: int, state: str) -> None:
        payment = paid_payment(organization=OrganizationFactory.create(refund_approval_limits={"USD": 1000}))
        refund = ask(payment, amount)
        assert refund.state == state
        assert jobs_called("billing.refund_submission.submit") == (1 if state == "requested" else 0)
        assert posting.posted(f"refund:{refund.pk}:requested")

    def test_does_not_hold_up_what_no_person_asked_for(self) -> None:
        payment = paid_payment(organization=OrganizationFactory.create(refund_approval_limits={"USD": 1000}))
        assert ask(payment, 5000, source="automatic", by=Actor.system("late")).state == "requested"

    def test_is_shown_in_the_offer(self) -> None:
        payment = paid_payment(organization=OrganizationFactory.create(refund_approval_limits={"USD": 1000}))
        ask(payment, 500)
        found = refunds.offer(again(payment), at=payment.created_at)
        assert (found.refundable, found.limit) == (Money(4500, "USD"), Money(1000, "USD"))


@pytest.mark.gap("1.3")
@pytest.mark.rule("M9")
@pytest.mark.django_db
class TestDatabase:
    """What the operations would never do, done past them."""

    def raw(self, payment: Payment, amount: int, **values: Any) -> Refund:
        given = {"payment": payment, "amount": amount, "currency": "USD", "reason": "other", "source": "api", **values}
        return Refund.objects.create(**given)

    def test_refuses_more_than_was_captured(self) -> None:
        payment = paid_payment()
        requested_refund(payment, 4000)
        with pytest.raises(IntegrityError, match="exceed what was captured"), transaction.atomic():
            self.raw(payment, 1001)
        self.raw(payment, 1000)
        with pytest.raises(IntegrityError, match="exceed what was captured"), transaction.atomic():
            payment.refunds.filter(amount=1000).update(amount=1001)
        with pytest.raises(IntegrityError, match="exceed what was captured"), transaction.atomic():
            self.raw(pending_payment(), 1)

    def test_takes_stripes_word_for_a_refund_made_there(self) -> None:
        payment = paid_payment()
        requested_refund(payment, 5000)
        assert self.raw(payment, 5000, source="external").pk

    def test_refuses_to_bring_a_failed_refund_back_where_nothing_is_left(self) -> None:
        payment = paid_payment()
        refund = requested_refund(payment, 3000)
        hear(refund, "failed")
        requested_refund(payment, 3000)
        with pytest.raises(IntegrityError, match="exceed what was captured"), transaction.atomic():
            Refund.objects.filter(pk=refund.pk).update(state="approved", retries=1)

    @pytest.mark.parametrize(
        ("values", "constraint"),
        [
            ({"amount": 0}, "refund_amount_positive"),
            ({"amount": -5}, "refund_amount_positive"),
            ({"state": "succeeded"}, "may not start in state"),
        ],
    )
    def test_refuses_what_cannot_be(self, values: dict[str, Any], constraint: str) -> None:
        with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
            self.raw(paid_payment(), **{"amount": 1, **values})

    def test_refuses_success_without_stripe(self) -> None:
        refund = requested_refund(paid_payment())
        with pytest.raises(IntegrityError, match="refund_succeeded_at_stripe"), transaction.atomic():
            Refund.objects.filter(pk=refund.pk).update(state="succeeded")
