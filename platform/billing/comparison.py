"""Plans side by side, as the console, the public page and the API show them."""

from dataclasses import dataclass

from django.db.models import Prefetch

from billing.models import Plan, PlanPrice
from core.money import Money
from entitlements.models import Resource


@dataclass(frozen=True, slots=True)
class Limit:
    """limit: None where there is none."""

    resource: str
    label: str
    limit: int | None

    @property
    def shown(self) -> str:
        return "No limit" if self.limit is None else f"{self.limit:,}"


@dataclass(frozen=True, slots=True)
class Price:
    """saving: of a year paid at once against twelve months; None of a month, or where nothing is saved."""

    kind: str
    interval: str
    money: Money
    saving: Money | None


def plans(*, audience: str | None = None) -> list[Plan]:
    """What is offered, in the catalogue's order, with the prices that new subscribers pay. audience: of this kind alone."""
    current = Prefetch("prices", queryset=PlanPrice.objects.current().order_by("kind", "interval", "currency"), to_attr="offered_prices")
    rows = Plan.objects.offered().prefetch_related(current)
    return list(rows if audience is None else rows.filter(audience=audience))


def limits(plan: Plan) -> list[Limit]:
    labels = dict(Resource.choices)
    return [Limit(resource, str(labels[resource]), limit) for resource, limit in plan.limits.items()]


def prices(plan: Plan) -> list[Price]:
    """The plan's prices; `plan` comes from `plans`."""
    offered: list[PlanPrice] = plan.offered_prices  # type: ignore[attr-defined]
    monthly = {(one.kind, one.currency): one.amount for one in offered if one.interval == PlanPrice.Interval.MONTH}
    return [Price(one.kind, one.interval, one.money, _saving(one, monthly.get((one.kind, one.currency)))) for one in offered]


def _saving(price: PlanPrice, month: int | None) -> Money | None:
    saved = (month or 0) * 12 - price.amount
    return Money(saved, price.currency) if price.interval == PlanPrice.Interval.YEAR and saved > 0 else None
