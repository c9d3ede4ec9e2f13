"""The second person: never the one who asked, and every refusal leaves things as they were."""

from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction

from audit.actor import Actor, StaffGroup
from audit.models import AuditEntry
from billing import refund_approval, refunds
from billing.models import Payment, Refund
from core.errors import DomainError, InvalidInput, NotFound, PermissionRefused, StepUpRequired
from core.models import Job
from ledger import balances
from ledger.chart import REFUNDS_IN_FLIGHT
from tests.billing.test_disputes import open_dispute
from tests.billing.test_refund_books import hear, left
from tests.factories.billing import again, finance, paid_payment, requested_refund
from tests.factories.organizations import OrganizationFactory
from tests.factories.people import actor, personas, staff


def submissions() -> int:
    return Job.objects.filter(name="billing.refund_submission.submit").count()


@pytest.fixture
def payment(db: None) -> Payment:
    return paid_payment(organization=OrganizationFactory.create(refund_approval_limits={"USD": 0}))


@pytest.mark.gap("1.3")
@pytest.mark.django_db
class TestApprove:
    def test_sends_the_refund_on_its_way(self, payment: Payment) -> None:
        refund, second = requested_refund(payment, 3000), finance()
        refund_approval.approve(refund_id=refund.pk, by=second)

        assert (again(refund).state, again(refund).approved_by_id) == (Refund.State.APPROVED, second.user_id)
        assert submissions() == 1
        entry = AuditEntry.objects.get(action="refund.approved")
        assert (entry.user_id, entry.organization_id) == (second.user_id, payment.organization_id)
        assert hear(refund, "succeeded").state == "succeeded"

    def test_refuses_the_one_who_asked(self, payment: Payment) -> None:
        asked = finance()
        refund = requested_refund(payment, 3000, by=asked)
        with pytest.raises(refund_approval.SamePerson):
            refund_approval.approve(refund_id=refund.pk, by=asked)
        assert (again(refund).state, submissions()) == (Refund.State.AWAITING_APPROVAL, 0)

    def test_refuses_a_system_for_it_is_no_second_person(self, payment: Payment) -> None:
        refund = requested_refund(payment, 3000)
        with pytest.raises(refund_approval.SamePerson):
            refund_approval.approve(refund_id=refund.pk, by=Actor.system("eager"))

    def test_is_held_to_two_people_by_the_database_too(self, payment: Payment) -> None:
        asked = finance()
        refund = requested_refund(payment, 3000, by=asked)
        with pytest.raises(IntegrityError, match="refund_second_person"), transaction.atomic():
            Refund.objects.filter(pk=refund.pk).update(state="approved", approved_by=asked.user_id)
        with pytest.raises(IntegrityError, match="refund_approved_by_someone"), transaction.atomic():
            Refund.objects.filter(pk=refund.pk).update(state="approved")

    def test_happens_once(self, payment: Payment) -> None:
        refund = requested_refund(payment, 3000)
        refund_approval.approve(refund_id=refund.pk, by=finance())
        with pytest.raises(refund_approval.NotWaiting) as refused:
            refund_approval.approve(refund_id=refund.pk, by=finance())
        assert (refused.value.state, submissions()) == ("approved", 1)
        with pytest.raises(refund_approval.NotWaiting):
            refund_approval.reject(refund_id=refund.pk, why="late", by=finance())

    def test_is_refused_once_the_payment_is_disputed(self, payment: Payment) -> None:
        refund = requested_refund(payment, 3000)
        open_dispute(payment)
        with pytest.raises(refunds.PaymentDisputed):
            refund_approval.approve(refund_id=refund.pk, by=finance())
        assert (again(refund).state, submissions()) == (Refund.State.AWAITING_APPROVAL, 0)

    def test_is_not_for_what_needs_none(self) -> None:
        refund = requested_refund(paid_payment(organization=OrganizationFactory.create(refund_approval_limits={"USD": 9000})))
        with pytest.raises(refund_approval.NotWaiting, match="This refund is requested"):
            refund_approval.approve(refund_id=refund.pk, by=finance())


@pytest.mark.gap("1.3")
@pytest.mark.django_db
class TestReject:
    def test_gives_the_money_back_to_the_organization(self, payment: Payment) -> None:
        whole = left(payment)
        refund = requested_refund(payment, 3000)
        refund_approval.reject(refund_id=refund.pk, why=" not ours ", by=finance())

        assert (again(refund).state, again(refund).failure_reason) == (Refund.State.CANCELLED, "not ours")
        assert (left(payment), balances.balance(REFUNDS_IN_FLIGHT, "USD"), submissions()) == (whole, 0, 0)
        assert AuditEntry.objects.get(action="refund.rejected").reason == "not ours"
        assert refunds.refundable(again(payment)).amount == 5000

    def test_wants_a_reason(self, payment: Payment) -> None:
        refund = requested_refund(payment, 3000)
        with pytest.raises(InvalidInput) as refused:
            refund_approval.reject(refund_id=refund.pk, why="  ", by=finance())
        assert refused.value.details == {"field": "why"}
        assert again(refund).state == Refund.State.AWAITING_APPROVAL

    def test_may_be_the_one_who_asked(self, payment: Payment) -> None:
        asked = finance()
        refund = requested_refund(payment, 3000, by=asked)
        assert refund_approval.reject(refund_id=refund.pk, why="mistaken", by=asked).state == "cancelled"

    def test_is_final(self, payment: Payment) -> None:
        refund = requested_refund(payment, 3000)
        refund_approval.reject(refund_id=refund.pk, why="no", by=finance())
        with pytest.raises(refund_approval.NotWaiting):
            refund_approval.approve(refund_id=refund.pk, by=finance())
        with pytest.raises(refund_approval.NotFailed):
            refund_approval.retry(refund_id=refund.pk, by=finance())


@pytest.mark.gap("1.3")
@pytest.mark.django_db
class TestRetry:
    def failed(self, amount: int = 3000) -> Refund:
        refund = requested_refund(paid_payment(), amount)
        return again(hear(refund, "failed"))

    def test_takes_a_new_key_and_postings_of_its_own(self) -> None:
        refund = self.failed()
        old_key, old_id = refund.stripe_key, refund.stripe_refund_id
        again_on = refund_approval.retry(refund_id=refund.pk, by=finance())

        assert (again_on.state, again_on.attempt, again_on.retries) == (Refund.State.APPROVED, 2, 1)
        assert again_on.stripe_key != old_key
        assert (again_on.stripe_refund_id, again_on.failed_at, again_on.failure_reason) == (None, None, "")
        assert balances.balance(REFUNDS_IN_FLIGHT, "USD") == -3000
        entry = AuditEntry.objects.get(action="refund.retried")
        assert (entry.before, entry.after) == ({"stripe_refund_id": old_id}, {"state": "approved", "attempt": 2})
        assert hear(refund, "succeeded").state == "succeeded"
        assert balances.balance(REFUNDS_IN_FLIGHT, "USD") == 0

    def test_can_fail_again_and_again(self) -> None:
        refund = self.failed()
        for attempt in (2, 3, 4):
            refund_approval.retry(refund_id=refund.pk, by=finance())
            assert hear(refund, "failed").attempt == attempt
        assert balances.balance(REFUNDS_IN_FLIGHT, "USD") == 0
        assert left(refund.payment) == {f"organizer_payable:{refund.payment.organization_id}": 5000}

    def test_is_for_failed_refunds_only(self) -> None:
        refund = requested_refund(paid_payment(), 3000)
        for outcome in (None, "succeeded"):
            if outcome:
                hear(refund, outcome)
            with pytest.raises(refund_approval.NotFailed) as refused:
                refund_approval.retry(refund_id=refund.pk, by=finance())
            assert refused.value.state == again(refund).state

    def test_is_refused_where_the_money_went_elsewhere_meanwhile(self) -> None:
        refund = self.failed()
        requested_refund(refund.payment, 2001)
        with pytest.raises(refunds.RefundExceedsBalance) as refused:
            refund_approval.retry(refund_id=refund.pk, by=finance())
        assert (refused.value.refundable.amount, again(refund).state) == (2999, "failed")

    def test_is_refused_once_the_payment_is_disputed(self) -> None:
        refund = self.failed()
        open_dispute(refund.payment)
        with pytest.raises(refunds.PaymentDisputed):
            refund_approval.retry(refund_id=refund.pk, by=finance())


CALLS: dict[str, Any] = {
    "approve": lambda refund, by: refund_approval.approve(refund_id=refund, by=by),
    "reject": lambda refund, by: refund_approval.reject(refund_id=refund, why="no", by=by),
    "retry": lambda refund, by: refund_approval.retry(refund_id=refund, by=by),
}


@pytest.mark.django_db
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
class TestPermission:
    def test_is_finances_alone(self, call: Any) -> None:
        people = personas(refund_approval_limits={"USD": 0})
        refund = requested_refund(paid_payment(organization=people.organization), 3000)
        fred = staff(StaffGroup.FINANCE)
        refusals: list[tuple[Actor, type[DomainError]]] = [
            (people.as_alice, PermissionRefused),
            (people.as_bob, PermissionRefused),
            (staff(StaffGroup.SUPPORT), PermissionRefused),
            (staff(StaffGroup.AUDITOR), PermissionRefused),
            (people.as_charlie, NotFound),
            (Actor.anonymous(), NotFound),
            (Actor(label=fred.label, user_id=fred.user_id, staff_groups=fred.staff_groups), StepUpRequired),
        ]
        for by, refusal in refusals:
            with pytest.raises(refusal):
                call(refund.pk, by)
        assert again(refund).state == Refund.State.AWAITING_APPROVAL
        assert not AuditEntry.objects.exclude(action__in=["payment.succeeded", "payment.fee_booked", "refund.requested"]).exists()

    def test_knows_no_other_refund(self, call: Any) -> None:
        with pytest.raises(NotFound):
            call(uuid4(), finance())

    def test_is_taken_from_an_ended_member(self, call: Any) -> None:
        people = personas(refund_approval_limits={"USD": 0})
        refund = requested_refund(paid_payment(organization=people.organization), 3000)
        people.bob.memberships.update(role="admin")
        people.alice.memberships.update(ended_at=refund.created_at)
        with pytest.raises(NotFound):
            call(refund.pk, actor(people.alice))
