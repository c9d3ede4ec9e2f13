"""The home page: queues of work with how many wait and since when, each leading to the list that shows exactly these."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Min, QuerySet
from django.http import HttpRequest

from admin_ext.console import columns
from admin_ext.console.scope import visible
from admin_ext.console.urls import list_url
from audit.actor import Actor
from billing.models import ConnectedAccount, Discrepancy, Dispute, InboundEvent, Payment, PayoutRequest, Refund, StripeCommand
from core.models import Job
from events.models import Event
from notifications.models import Message
from organizations.models import Organization
from organizations.permissions import Permission, allows

MOST = 1000


@dataclass(frozen=True, slots=True)
class WorkQueue:
    """rows: of what the actor may see, those that wait. query: the filter of the model's list that shows the same rows."""

    title: str
    model: type[Any]
    permission: Permission
    rows: Callable[[Any], QuerySet[Any]]
    query: str
    empty: str
    since: str = "created_at"
    urgent: bool = True


@dataclass(frozen=True, slots=True)
class Waiting:
    queue: WorkQueue
    count: int
    oldest: datetime | None
    url: str

    @property
    def shown(self) -> str:
        return f"{MOST:,}+" if self.count > MOST else f"{self.count:,}"

    @property
    def age(self) -> str:
        return columns.age(self.oldest)

    @property
    def oldest_at(self) -> Any:
        return columns.as_moment(self.oldest)


QUEUES = (
    WorkQueue(
        "Refunds awaiting approval",
        Refund,
        Permission.REFUND_APPROVE,
        lambda rows: rows.filter(state=Refund.State.AWAITING_APPROVAL),
        "state__exact=awaiting_approval",
        "No refund waits for a second person.",
    ),
    WorkQueue(
        "Refunds with an unknown outcome",
        Refund,
        Permission.LEDGER_VIEW,
        lambda rows: rows.filter(state=Refund.State.UNKNOWN),
        "state__exact=unknown",
        "Stripe has answered every refund.",
        since="submitted_at",
    ),
    WorkQueue(
        "Failed refunds",
        Refund,
        Permission.PAYMENT_VIEW,
        lambda rows: rows.filter(state=Refund.State.FAILED),
        "state__exact=failed",
        "No refund failed.",
        since="failed_at",
    ),
    WorkQueue(
        "Payouts awaiting approval",
        PayoutRequest,
        Permission.PAYOUT_APPROVE,
        lambda rows: rows.filter(state=PayoutRequest.State.REQUESTED),
        "state__exact=requested",
        "No payout waits for finance.",
    ),
    WorkQueue(
        "Failed payouts",
        PayoutRequest,
        Permission.PAYOUT_VIEW,
        lambda rows: rows.filter(state=PayoutRequest.State.FAILED),
        "state__exact=failed",
        "No payout failed.",
        since="ended_at",
    ),
    WorkQueue(
        "Payouts that wait or are held",
        PayoutRequest,
        Permission.PAYOUT_APPROVE,
        lambda rows: rows.filter(state__in=[PayoutRequest.State.APPROVED, PayoutRequest.State.ON_HOLD]),
        "state__in=approved,on_hold",
        "Every approved payout has gone to Stripe.",
        since="approved_at",
        urgent=False,
    ),
    WorkQueue(
        "Payout accounts that are not usable",
        ConnectedAccount,
        Permission.CONNECT_MANAGE,
        lambda rows: rows.filter(payouts_enabled=False),
        "payouts_enabled__exact=0",
        "Every payout account can be paid out to.",
        urgent=False,
    ),
    WorkQueue(
        "Open discrepancies",
        Discrepancy,
        Permission.LEDGER_VIEW,
        lambda rows: rows.filter(state=Discrepancy.State.OPEN).exclude(kind=Discrepancy.Kind.TIMING),
        f"state__exact=open&kind__in={','.join(kind for kind in Discrepancy.Kind.values if kind != Discrepancy.Kind.TIMING)}",
        "Stripe and the books agree.",
        since="happened_at",
    ),
    WorkQueue(
        "Disputes to answer",
        Dispute,
        Permission.DISPUTE_ANSWER,
        lambda rows: rows.filter(status__in=Dispute.ANSWERABLE),
        "status__in=warning_needs_response,needs_response&o=1",
        "No dispute waits for an answer.",
    ),
    WorkQueue(
        "Payments without a registration",
        Payment,
        Permission.LEDGER_VIEW,
        lambda rows: rows.filter(state__in=[Payment.State.SUCCEEDED, Payment.State.PARTIALLY_REFUNDED], registration=None),
        "registration__isnull=1&state__in=succeeded,partially_refunded",
        "Everything that was paid for has a registration.",
        since="paid_at",
    ),
    WorkQueue(
        "Failed payments",
        Payment,
        Permission.PAYMENT_VIEW,
        lambda rows: rows.filter(state=Payment.State.FAILED),
        "state__exact=failed",
        "No payment failed.",
        urgent=False,
    ),
    WorkQueue(
        "Stripe calls without an answer",
        StripeCommand,
        Permission.LEDGER_VIEW,
        lambda rows: rows.filter(state=StripeCommand.State.UNKNOWN),
        "state__exact=unknown",
        "Every call to Stripe was answered.",
        since="sent_at",
    ),
    WorkQueue(
        "Dead inbound events",
        InboundEvent,
        Permission.INBOX_VIEW,
        lambda rows: rows.filter(state=InboundEvent.State.DEAD),
        "state__exact=dead",
        "Every event from Stripe was worked.",
        since="received_at",
    ),
    WorkQueue(
        "Failed jobs",
        Job,
        Permission.JOB_VIEW,
        lambda rows: rows.filter(state=Job.State.DEAD),
        "state__exact=dead",
        "No job was given up.",
    ),
    WorkQueue(
        "Failed mail",
        Message,
        Permission.MESSAGE_VIEW,
        lambda rows: rows.filter(state=Message.State.FAILED),
        "state__exact=failed",
        "Every message was sent.",
    ),
    WorkQueue(
        "Organizations without an admin",
        Organization,
        Permission.ADMIN_GRANT,
        lambda rows: rows.without_admin(),
        "admins=none",
        "Every organization has an admin whose account works.",
    ),
    WorkQueue(
        "Draft events",
        Event,
        Permission.EVENT_MANAGE,
        lambda rows: rows.filter(state=Event.State.DRAFT),
        "state__exact=draft",
        "No draft waits to be published.",
        urgent=False,
    ),
)


def home(request: HttpRequest, site: Any) -> dict[str, Any]:
    """waiting: the queues that hold something, clear: the ones that are empty; of the site's screens that this actor may see."""
    actor = site.actor(request)
    found = [waiting for queue in QUEUES if (waiting := _waiting(site, actor, queue)) is not None]
    return {"waiting": [one for one in found if one.count], "clear": [one for one in found if not one.count]}


def _waiting(site: Any, actor: Actor, queue: WorkQueue) -> Waiting | None:
    url = list_url(site.name, queue.model, queue.query)
    if queue.model not in site._registry or url is None or not allows(actor, queue.permission):
        return None
    rows = queue.rows(visible(queue.model, actor)).order_by()
    count = rows[: MOST + 1].count()
    oldest = rows.aggregate(oldest=Min(queue.since))["oldest"] if count else None
    return Waiting(queue, count, oldest, url)
