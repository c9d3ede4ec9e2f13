"""What can be subscribed to, side by side, as everybody may see it."""

import json
from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import Router, Schema

from billing import comparison
from billing.models import Plan
from public_api import caching
from public_api.auth import ANYONE
from public_api.envelope import ERRORS
from public_api.shapes import MoneyOut, money
from public_api.throttling import READ

router = Router()


class LimitOut(Schema):
    """limit: null only where `unlimited` says that there is none."""

    resource: str
    limit: int | None
    unlimited: bool


class PriceOut(Schema):
    """kind: base (the plan) or seat (each further one). saving: of a year against twelve months, null where there is none."""

    kind: str
    interval: str
    price: MoneyOut
    saving: MoneyOut | None
    saving_percent: int | None


class PlanOut(Schema):
    """audience: user, personal or team. purchasable: false of free plans and of those that are sold by people (`contact_sales`)."""

    code: str
    name: str
    description: str
    audience: str
    purchasable: bool
    contact_sales: bool
    trial_days: int
    seats_included: int
    limits: list[LimitOut]
    prices: list[PriceOut]


class FeatureOut(Schema):
    """A row of the matrix; plans: codes of those that have it."""

    name: str
    plans: list[str]


class PlansOut(Schema):
    items: list[PlanOut]
    features: list[FeatureOut]


@router.get("/plans", response={200: PlansOut, 304: None, **ERRORS}, operation_id="list_plans", auth=ANYONE, throttle=READ)
def list_plans(request: HttpRequest) -> HttpResponse:
    """Plans × features, with limits and the prices that new subscribers pay; taxes come on top."""
    plans = comparison.plans()
    features = [{"name": one.name, "plans": [plan.code for plan in plans if plan.code in one.plans]} for one in comparison.features(plans)]
    return caching.answer(request, json.dumps({"items": [_shown(plan) for plan in plans], "features": features}).encode())


def _shown(plan: Plan) -> dict[str, Any]:
    fields = ("code", "name", "description", "audience", "trial_days", "seats_included")
    return {
        **{field: getattr(plan, field) for field in fields},
        "purchasable": comparison.can_be_bought(plan),
        "contact_sales": plan.is_contact_sales,
        "limits": [{"resource": one.resource, "limit": one.limit, "unlimited": one.limit is None} for one in comparison.limits(plan)],
        "prices": [_price(one) for one in comparison.prices(plan)],
    }


def _price(one: comparison.Price) -> dict[str, Any]:
    saving = money(one.saving) if one.saving else None
    return {"kind": one.kind, "interval": one.interval, "price": money(one.money), "saving": saving, "saving_percent": one.percent}
