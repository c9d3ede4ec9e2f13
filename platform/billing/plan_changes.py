"""Changing a subscription: a larger plan now, a smaller one from the next period on, its end at the period's end, or not after all."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from audit.actor import Actor
from audit.recording import record
from billing import plan_blockers, plan_catalogue, plan_change_submission
from billing.models import PlanChange, PlanPrice, Subscription
from core import jobs
from core.errors import DomainError, InvalidInput, NotFound
from organizations.permissions import Permission, require

# A smaller plan has to be at Stripe before it bills the next period.
AHEAD = timedelta(hours=1)
_AT_ONCE = 200
Kind, State = PlanChange.Kind, PlanChange.State


class ChangePending(DomainError):
    code, http_status = "PLAN_CHANGE_PENDING", 409

    def __init__(self, change: PlanChange) -> None:
        self.change = change
        super().__init__("A change of this subscription is on its way already; undo it or wait for it.")


class DowngradeBlocked(DomainError):
    """blockers: one sentence for each thing that stands in the way."""

    code, http_status = "DOWNGRADE_BLOCKED", 409

    def __init__(self, blockers: list[str]) -> None:
        self.blockers = blockers
        super().__init__("The smaller plan does not fit yet: " + " ".join(blockers))

    @property
    def details(self) -> dict[str, Any]:
        return {"blockers": self.blockers}


class NotChangeable(DomainError):
    code, http_status = "SUBSCRIPTION_NOT_CHANGEABLE", 409

    def __init__(self, why: str) -> None:
        super().__init__(why)


class NothingToUndo(DomainError):
    code, http_status = "NOTHING_TO_UNDO", 409

    def __init__(self) -> None:
        super().__init__("No change waits for the period's end; there is nothing to undo.")


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a change would be. due_at: when a smaller plan follows, None of one that comes at once; blockers: what keeps it from it."""

    kind: str
    price: PlanPrice
    due_at: datetime | None
    blockers: list[str]


@transaction.atomic
def change(*, subscription_id: UUID, plan: str, interval: str, by: Actor) -> PlanChange:
    """A dearer plan is asked of Stripe now, with what is left of the period counted; a cheaper one waits for the period's end.

    Raises NotFound, PermissionRefused, InvalidInput, PlanNotForSale, NotChangeable, ChangePending, DowngradeBlocked.
    """
    subscription = _locked(subscription_id, by)
    proposal = proposed(subscription, plan=plan, interval=interval)
    if proposal.blockers:
        raise DowngradeBlocked(proposal.blockers)
    return _ask(subscription, proposal.kind, price=proposal.price, due_at=proposal.due_at, by=by)


def proposed(subscription: Subscription, *, plan: str, interval: str) -> Proposal:
    """What becoming the plan would be for this subscription, which the caller may see. Raises as `change`, but for what is pending."""
    wanted, price = plan_catalogue.for_sale(code=plan, interval=interval, currency=subscription.price.currency)
    if wanted.audience != subscription.organization.kind:
        raise InvalidInput(f"{wanted.name} is not for this kind of organization; choose another plan.", field="plan")
    if price.stripe_price_id is None:
        raise plan_catalogue.PlanNotForSale(f"{wanted.name} is being set up; try again in some minutes.")
    if (wanted.pk, interval) == (subscription.price.plan_id, subscription.price.interval):
        raise NotChangeable("The organization has this plan already.")
    if _a_month(price) >= _a_month(subscription.price):
        return Proposal(Kind.UPGRADE, price, None, [])
    found = plan_blockers.blockers(subscription.organization_id, wanted)
    return Proposal(Kind.DOWNGRADE, price, subscription.period_ends_at - AHEAD, found)


def preflight(*, subscription_id: UUID, plan: str, by: Actor) -> list[str]:
    """What stands in the way of a smaller plan, one sentence each; empty where nothing does. Raises NotFound, PermissionRefused."""
    subscription = Subscription.objects.visible_to(by).filter(pk=subscription_id).first()
    if subscription is None:
        raise NotFound("subscription")
    require(by, Permission.SUBSCRIPTION_MANAGE, subscription.organization_id)
    wanted, _ = plan_catalogue.for_sale(code=plan, interval=PlanPrice.Interval.MONTH)
    return plan_blockers.blockers(subscription.organization_id, wanted)


@transaction.atomic
def cancel(*, subscription_id: UUID, by: Actor) -> PlanChange:
    """Have the subscription end with the period that is paid. Raises NotFound, PermissionRefused, NotChangeable, ChangePending."""
    subscription = _locked(subscription_id, by)
    if subscription.cancel_at_period_end:
        raise NotChangeable("It ends with this period already.")
    return _ask(subscription, Kind.CANCEL, by=by)


@transaction.atomic
def resume(*, subscription_id: UUID, by: Actor) -> PlanChange:
    """Have it go on after all. Raises NotFound, PermissionRefused, NotChangeable, ChangePending."""
    subscription = _locked(subscription_id, by)
    if not subscription.cancel_at_period_end:
        raise NotChangeable("It does not end; there is nothing to resume.")
    return _ask(subscription, Kind.RESUME, by=by)


@transaction.atomic
def undo(*, subscription_id: UUID, by: Actor) -> PlanChange:
    """Keep the plan: the smaller one that waits for the period's end does not come. Raises NotFound, PermissionRefused, NothingToUndo."""
    subscription = _locked(subscription_id, by, live=False)
    waiting: PlanChange | None = subscription.plan_changes.filter(state=State.SCHEDULED).first()
    if waiting is None:
        raise NothingToUndo
    return _undo(waiting, by)


def _undo(waiting: PlanChange, by: Actor) -> PlanChange:
    waiting.undo(at=timezone.now())
    waiting.save(update_fields=["state", "ended_at", "updated_at"])
    record(waiting, "plan_change.undone", by=by, organization_id=waiting.subscription.organization_id)
    return waiting


def end_with(*, organization_id: UUID, by: Actor) -> None:
    """The organization closes, which whoever may close it decides: what waits for the next period does not come, and the subscription
    ends with the period that is paid. The caller holds the organization's lock. Raises ChangePending."""
    live = Subscription.objects.live().filter(organization_id=organization_id, cancel_at_period_end=False)
    subscription = live.select_for_update(of=["self"]).first()
    if subscription is None:
        return
    pending = subscription.plan_changes.filter(state__in=PlanChange.OPEN).first()
    if pending is not None and pending.kind == Kind.CANCEL:
        return
    if pending is not None and pending.state == State.SCHEDULED:
        _undo(pending, by)
    _ask(subscription, Kind.CANCEL, by=by)


@jobs.task(queue="money")
def release_due() -> None:
    """Smaller plans whose time has come go to Stripe; those of a subscription that has ended come to nothing."""
    for change_id in PlanChange.objects.due(timezone.now()).values_list("pk", flat=True)[:_AT_ONCE]:
        release(change_id=change_id)


@transaction.atomic
def release(*, change_id: UUID) -> None:
    """Repeatable: whoever comes second finds it released, or undone."""
    subscription = Subscription.objects.select_for_update(of=["self"]).get(plan_changes=change_id)
    waiting = subscription.plan_changes.get(pk=change_id)
    if waiting.state == State.SCHEDULED:
        waiting.release()
        waiting.save(update_fields=["state", "updated_at"])
        jobs.enqueue(plan_change_submission.submit, change_id=waiting.pk)


def _locked(subscription_id: UUID, by: Actor, *, live: bool = True) -> Subscription:
    rows = Subscription.objects.visible_to(by).select_for_update(of=["self"]).select_related("price", "organization")
    subscription = rows.filter(pk=subscription_id).first()
    if subscription is None:
        raise NotFound("subscription")
    require(by, Permission.SUBSCRIPTION_MANAGE, subscription.organization_id)
    if live and not subscription.is_live:
        raise NotChangeable("This subscription is over, or was never paid; subscribe anew.")
    return subscription


def _ask(subscription: Subscription, kind: str, *, by: Actor, price: PlanPrice | None = None, due_at: datetime | None = None) -> PlanChange:
    pending = subscription.plan_changes.filter(state__in=PlanChange.OPEN).first()
    if pending is not None:
        raise ChangePending(pending)
    now = timezone.now()
    asked = PlanChange.objects.create(
        subscription=subscription,
        kind=kind,
        state=State.SCHEDULED if due_at is not None and due_at > now else State.REQUESTED,
        price=price,
        due_at=due_at or now,
        requested_by_id=by.user_id,
    )
    after = {"kind": kind, "plan": price.plan.code if price else "", "due_at": asked.due_at}
    record(asked, "plan_change.requested", by=by, organization_id=subscription.organization_id, after=after)
    if asked.state == State.REQUESTED:
        jobs.enqueue(plan_change_submission.submit, change_id=asked.pk)
    return asked


def _a_month(price: PlanPrice) -> float:
    return price.amount / (12 if price.interval == PlanPrice.Interval.YEAR else 1)
