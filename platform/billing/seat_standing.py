"""How an organization stands with its seats: who is counted, what its plan has room for, what one more would cost.

N = max(bought, used - included) further seats are billed. Instructors take none.
"""

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from uuid import UUID

from django.conf import settings

from billing import seat_items
from billing.models import Plan, PlanAccess, PlanPrice, SeatAccount, Subscription
from organizations.models import Invitation, Membership, Role

COUNTED = (Role.ADMIN, Role.ORGANIZER, Role.COURSE_MANAGER)
_UNPAID = "The plan is not paid for: nobody can be added to a role that takes a seat until it is."
_OWN = 1  # whoever founded it works for it on every plan, and on none


@dataclass(frozen=True, slots=True)
class Standing:
    """used: counted people and open invitations; bought: kept whether used or not; billed: now; room: how many may be used now.

    price: of one more seat, None where none can be bought, which `why` says in one sentence.
    """

    used: int
    included: int
    bought: int
    billed: int
    room: int
    price: PlanPrice | None = None
    why: str = ""
    subscription: Subscription | None = None

    def number(self, *, more: int = 0) -> int:
        """What has to be billed for so many more people."""
        return max(self.bought, self.used + more - self.included) if self.price is not None else 0

    def missing(self, count: int) -> int:
        """How many of so many more people find no seat free."""
        return max(0, count - max(0, self.room - self.used))


def count(organization_id: UUID) -> int:
    return sum(1 for _ in _holders([organization_id]))


def of(organization_id: UUID) -> Standing:
    """As it is now; decide by it under the organization's lock only."""
    row = SeatAccount.objects.filter(organization_id=organization_id).first() or SeatAccount(organization_id=organization_id)
    access = PlanAccess.objects.select_related("plan").filter(organization_id=organization_id).first()
    return standing(row, access, live_subscription(organization_id), used=count(organization_id))


def numbers(organization_ids: Collection[UUID]) -> dict[UUID, tuple[int, int, int]]:
    """(used, included, billed) of each as `of` says; five queries, however many are asked for."""
    rows = {row.organization_id: row for row in SeatAccount.objects.filter(organization_id__in=organization_ids)}
    paid = Subscription.objects.live().select_related("price__plan").filter(organization_id__in=organization_ids)
    subscribed = {one.organization_id: one.price.plan for one in paid}
    standing = PlanAccess.objects.select_related("plan").filter(organization_id__in=organization_ids).exclude(plan=None)
    plans = {one.organization_id: one.plan for one in standing} | subscribed
    used = Counter(_holders(organization_ids))
    found = {}
    for key in organization_ids:
        row, plan = rows.get(key) or SeatAccount(), plans.get(key)
        found[key] = (used[key], (_included(plan) if plan else _OWN) + row.given, row.number if key in subscribed else 0)
    return found


def _holders(organization_ids: Collection[UUID]) -> Iterator[UUID]:
    """The organization of each seat that is used."""
    members = Membership.objects.filter(organization_id__in=organization_ids, ended_at=None, role__in=COUNTED)
    invited = Invitation.objects.pending().filter(organization_id__in=organization_ids, role__in=COUNTED)
    for rows in (members, invited):
        yield from rows.values_list("organization_id", flat=True)


def needed(organization_id: UUID, plan: Plan) -> int:
    """How many further seats its people would take on that plan."""
    given = SeatAccount.objects.filter(organization_id=organization_id).values_list("given", flat=True).first() or 0
    return max(0, count(organization_id) - _included(plan) - given)


def live_subscription(organization_id: UUID) -> Subscription | None:
    return Subscription.objects.live().select_related("price__plan", "seat_price").filter(organization_id=organization_id).first()


def standing(row: SeatAccount, access: PlanAccess | None, subscription: Subscription | None, *, used: int) -> Standing:
    is_behind = access is not None and access.state == PlanAccess.State.GRACE
    if subscription is not None:
        return _subscribed(row, subscription, used=used, is_behind=is_behind)
    if access is None or access.plan is None:
        why = "Without a plan one person works for an organization, besides its instructors: choose a plan with seats first."
        return _unbilled(row, used, included=_OWN, why=why)
    plan = access.plan
    included = _included(plan)
    if is_behind:
        return _unbilled(row, used, included=included, why=_UNPAID, is_behind=True)
    if plan.audience != Plan.Audience.TEAM:
        why = f"{plan.name} is for one person, besides instructors: a team needs a plan with seats."
        return _unbilled(row, used, included=included, why=why)
    why = f"In the trial {included + row.given + settings.TRIAL_SEATS} people can have a seat; subscribe to have more."
    return _unbilled(row, used, included=included, why=why, trial=settings.TRIAL_SEATS)


def _included(plan: Plan) -> int:
    return plan.seats_included if plan.audience == Plan.Audience.TEAM else _OWN


def _unbilled(row: SeatAccount, used: int, *, included: int, why: str, trial: int = 0, is_behind: bool = False) -> Standing:
    """Nothing is billed. trial: seats beyond the included ones that cost nothing meanwhile; is_behind: nobody can be added."""
    all_in = included + row.given
    return Standing(used, all_in, 0, 0, 0 if is_behind else all_in + trial, why=why)


def _subscribed(row: SeatAccount, subscription: Subscription, *, used: int, is_behind: bool) -> Standing:
    plan, price = subscription.price.plan, seat_items.price_for(subscription)
    included = _included(plan) + row.given
    why = f"{plan.name} has room for {included}, besides instructors, and no further seats: choose a larger plan first."
    billed = row.number if price is not None else 0
    found = Standing(used, included, row.bought, billed, included + billed, price, "" if price else why, subscription)
    return replace(found, room=0, why=_UNPAID) if is_behind else found
