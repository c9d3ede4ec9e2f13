"""The operations that are done in bulk."""

from typing import Any

from django import forms
from django.db.models import Exists, OuterRef, QuerySet, Value
from django.utils import timezone
from unfold.widgets import UnfoldAdminRadioSelectWidget, UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget, UnfoldBooleanSwitchWidget

from admin_ext import retrying
from admin_ext.billing import dry_runs
from admin_ext.console.bulk_kinds import BulkKind, Plan, register
from admin_ext.models import BulkItem
from audit.actor import Actor
from billing import payout_approval, payout_requests, refund_approval, refunds
from billing.models import InboundEvent, Payment, PayoutRequest, Refund
from billing.webhooks import dry_run, replay
from core.errors import PermissionRefused
from core.models import Job
from core.money import Money
from core.state_machine import allows as state_allows
from notifications.models import Message
from organizations.permissions import Permission, allows
from organizations.scoping import scoped
from registrations import cancellation
from registrations.models import Registration

NO_UNDO_REFUND = "There is no undo: money that has gone back cannot be fetched again."


class RefundTogether(forms.Form):
    """What is the same for all payments of the selection."""

    how_much = forms.ChoiceField(
        label="How much of each",
        choices=[("terms", "What the terms of each payment give now"), ("rest", "All that is left of each")],
        initial="terms",
        widget=UnfoldAdminRadioSelectWidget,
    )
    reason = forms.ChoiceField(label="Reason", choices=Refund.Reason.choices, widget=UnfoldAdminSelectWidget)
    note = forms.CharField(label="Note", required=False, max_length=2000, widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}))
    releases_place = forms.BooleanField(label="Give the places back", required=False, widget=UnfoldBooleanSwitchWidget)


def _with_refundable(rows: QuerySet[Any], by: Actor, *, payment: str) -> QuerySet[Any]:
    """Each row with what planning a refund asks about its payment, so that no row needs a query of its own."""
    mine = scoped(Payment.objects.filter(pk=OuterRef(payment)), by, Permission.PAYMENT_REFUND, responsible="responsible_id")
    may_refund = Value(allows(by, Permission.PAYMENT_REFUND)) if by.sees_all else Exists(mine)
    found: QuerySet[Any] = rows.annotate(taken=refunds.taken_by(payment), may_refund=may_refund)
    return found


def _plan_refund(row: Any, payment: Payment, values: dict[str, Any]) -> Plan:
    """row: the selected one, from `_with_refundable`."""
    if not row.may_refund:
        raise PermissionRefused(Permission.PAYMENT_REFUND)
    if not payment.is_captured:
        raise refunds.NothingToRefund("It has not been paid, so there is nothing to refund.")
    if payment.amount_disputed:
        raise refunds.PaymentDisputed
    offer = refunds.offer(payment, at=timezone.now(), taken=row.taken)
    back = offer.refundable if values.get("how_much") == "rest" else offer.by_terms
    if back.amount == 0:
        raise refunds.NothingToRefund("Nothing is left of it, or its terms give nothing back at this moment.")
    waits = back.amount > offer.limit.amount
    return Plan(f"Refund {back}{'; waits for a second person' if waits else ''}", back)


def _refund(payment_id: Any, item: BulkItem, values: dict[str, Any], by: Actor) -> str:
    """Exactly the amount that the preview showed and the person confirmed."""
    made = refunds.request(
        payment_id=payment_id,
        amount=item.amount,
        reason=values["reason"],
        note=values.get("note", ""),
        source=Refund.Source.CONSOLE,
        releases_place=bool(values.get("releases_place")),
        request_token=f"bulk-{item.pk}",
        by=by,
    )
    return f"{made.public_id}: {made.get_state_display().replace('_', ' ').lower()}"


def _plan_registration(registration: Registration, values: dict[str, Any], by: Actor) -> Plan:
    if registration.payment is None:
        raise cancellation.NothingPaid
    return _plan_refund(registration, registration.payment, values)


def _refund_registration(item: BulkItem, values: dict[str, Any], by: Actor) -> str:
    payment_id = Registration.objects.visible_to(by).filter(pk=item.object_id).values_list("payment_id", flat=True).first()
    if payment_id is None:
        raise cancellation.NothingPaid
    return _refund(payment_id, item, values, by)


def _plan_approval(refund: Refund, values: dict[str, Any], by: Actor) -> Plan:
    if refund.state != Refund.State.AWAITING_APPROVAL:
        raise refund_approval.NotWaiting(refund)
    if refund.requested_by_id == by.user_id:
        raise refund_approval.SamePerson
    return Plan(f"Approve {refund.money} to {refund.payment.email}", Money(refund.amount, refund.currency))


def _approve(item: BulkItem, values: dict[str, Any], by: Actor) -> str:
    refund_approval.approve(refund_id=item.object_id, by=by)
    return "Approved"


def _plan_payout(payout: PayoutRequest, values: dict[str, Any], by: Actor) -> Plan:
    if payout.state != PayoutRequest.State.REQUESTED:
        raise payout_requests.PayoutNotWaiting(payout)
    payout_approval.guarded(payout, by)
    return Plan(f"Pay {payout.money} out to {payout.organization.name}", payout.money)


def _approve_payout(item: BulkItem, values: dict[str, Any], by: Actor) -> str:
    payout_approval.approve(payout_request_id=item.object_id, by=by)
    return "Approved"


def _plan_replay(event: InboundEvent, values: dict[str, Any], by: Actor) -> Plan:
    replay.guarded(event)
    return Plan(f"Work {event.type} again")


def _plan_dry_run(event: InboundEvent, values: dict[str, Any], by: Actor) -> Plan:
    words = dry_runs.told(dry_run.dry_run(event_id=event.pk, by=by), site="admin", by=by)
    return Plan(words.summary(), detail="\n".join(words.lines()))


def _replay(item: BulkItem, values: dict[str, Any], by: Actor) -> str:
    replay.replay(event_id=item.object_id, by=by)
    return "Queued again"


def _plan_job(job: Job, values: dict[str, Any], by: Actor) -> Plan:
    if not state_allows(job, "revive"):
        raise retrying.NotGivenUp("job")
    return Plan(f"Try {job.name} again")


def _retry_job(item: BulkItem, values: dict[str, Any], by: Actor) -> str:
    retrying.retry_job(job_id=item.object_id, by=by)
    return "Queued again"


def _plan_message(message: Message, values: dict[str, Any], by: Actor) -> Plan:
    if not state_allows(message, "requeue"):
        raise retrying.NotGivenUp("message")
    return Plan(f"Send to {message.to} again")


def _resend(item: BulkItem, values: dict[str, Any], by: Actor) -> str:
    retrying.resend_message(message_id=item.object_id, by=by)
    return "Queued again"


REFUND_PAYMENTS = register(
    BulkKind(
        name="payment.refund",
        label="Refund…",
        model=Payment,
        permission=Permission.PAYMENT_REFUND,
        plan=lambda payment, values, by: _plan_refund(payment, payment, values),
        apply=lambda item, values, by: _refund(item.object_id, item, values, by),
        undo=NO_UNDO_REFUND,
        rows=lambda rows, by: _with_refundable(rows, by, payment="pk").select_related("organization"),
        form_class=RefundTogether,
    )
)
REFUND_REGISTRATIONS = register(
    BulkKind(
        name="registration.refund",
        label="Refund…",
        model=Registration,
        permission=Permission.PAYMENT_REFUND,
        plan=_plan_registration,
        apply=_refund_registration,
        undo=NO_UNDO_REFUND,
        rows=lambda rows, by: _with_refundable(rows, by, payment="payment_id").select_related("event", "payment__organization"),
        form_class=RefundTogether,
    )
)
APPROVE_REFUNDS = register(
    BulkKind(
        name="refund.approve",
        label="Approve…",
        model=Refund,
        permission=Permission.REFUND_APPROVE,
        plan=_plan_approval,
        apply=_approve,
        undo=NO_UNDO_REFUND,
        rows=lambda rows, by: rows.select_related("payment"),
    )
)
APPROVE_PAYOUTS = register(
    BulkKind(
        name="payout.approve",
        label="Approve…",
        model=PayoutRequest,
        permission=Permission.PAYOUT_APPROVE,
        plan=_plan_payout,
        apply=_approve_payout,
        undo="There is no undo: money that went to a bank cannot be fetched back. A payout can be held until its transfer begins.",
        rows=lambda rows, by: rows.select_related("organization", "account"),
    )
)
REPLAY_EVENTS = register(
    BulkKind(
        name="inbound_event.replay",
        label="Replay…",
        model=InboundEvent,
        permission=Permission.INBOX_REPLAY,
        plan=_plan_replay,
        apply=_replay,
        undo="There is no undo, and none is needed: an event that is worked twice changes nothing the second time.",
    )
)
DRY_RUN_EVENTS = register(
    BulkKind(
        name="inbound_event.dry_run",
        label="Dry run, then replay…",
        model=InboundEvent,
        permission=Permission.INBOX_REPLAY,
        plan=_plan_dry_run,
        apply=_replay,
        undo="There is no undo, and none is needed: an event that is worked twice changes nothing the second time. Each was tried "
        "by itself against what is true now: of several about one object the first one makes the change, the others find it made.",
        plans_outside=True,
    )
)
RETRY_JOBS = register(
    BulkKind(
        name="job.retry",
        label="Try again…",
        model=Job,
        permission=Permission.JOB_RETRY,
        plan=_plan_job,
        apply=_retry_job,
        undo="There is no undo, and none is needed: every task can be repeated without doing anything twice.",
    )
)
RESEND_MESSAGES = register(
    BulkKind(
        name="message.resend",
        label="Send again…",
        model=Message,
        permission=Permission.JOB_RETRY,
        plan=_plan_message,
        apply=_resend,
        undo="There is no undo: a mail that has gone out cannot be called back.",
    )
)
