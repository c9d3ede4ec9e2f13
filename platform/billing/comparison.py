"""Plans side by side, as the console, the public page and the API show them."""

from dataclasses import dataclass

from django.db.models import Prefetch

from billing.models import Plan, PlanPrice
from core.money import Money
from entitlements.models import COUNTED, Resource


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
    """saving: of a year paid at once against twelve months, percent: its whole share; None of a month, or where nothing is saved."""

    kind: str
    interval: str
    money: Money
    saving: Money | None
    percent: int | None = None


@dataclass(frozen=True, slots=True)
class Feature:
    """One row of the matrix. plans: codes of those that have it."""

    name: str
    plans: frozenset[str]


@dataclass(frozen=True, slots=True)
class Row:
    """Of the table that compares plans: a cell for each, in words."""

    name: str
    cells: list[str]


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
    return [_price(one, monthly.get((one.kind, one.currency))) for one in offered]


def _price(price: PlanPrice, month: int | None) -> Price:
    twelve = (month or 0) * 12
    saved = twelve - price.amount
    if price.interval != PlanPrice.Interval.YEAR or saved <= 0:
        return Price(price.kind, price.interval, price.money, None)
    return Price(price.kind, price.interval, price.money, Money(saved, price.currency), saved * 100 // twelve)


def features(shown: list[Plan]) -> list[Feature]:
    """What any of the plans says of itself, in the order in which it is first said."""
    names = dict.fromkeys(line for plan in shown for line in plan.feature_lines)
    return [Feature(name, frozenset(plan.code for plan in shown if name in plan.feature_lines)) for name in names]


def matrix(shown: list[Plan]) -> list[Row]:
    """What the plans limit, then what they have."""
    columns = [limits(plan) for plan in shown]
    rows = [
        Row(
            f"{same[0].label} a month" if same[0].resource in COUNTED else same[0].label,
            ["No" if one.limit == 0 else one.shown for one in same],
        )
        for same in zip(*columns, strict=True)
    ]
    return rows + [Row(one.name, ["Yes" if plan.code in one.plans else "No" for plan in shown]) for one in features(shown)]


def can_be_bought(plan: Plan) -> bool:
    """Whether anybody can subscribe to it on their own; `plan` comes from `plans`. A plan without a price is free, or not ready."""
    offered: list[PlanPrice] = plan.offered_prices  # type: ignore[attr-defined]
    return not plan.is_contact_sales and any(one.kind == PlanPrice.Kind.BASE for one in offered)
