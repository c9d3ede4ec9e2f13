"""The public comparison of plans, by the month or by the year."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from billing import comparison
from billing.models import Plan, PlanPrice

_INTERVALS = {str(value): label for value, label in PlanPrice.Interval.choices}


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """?interval=year shows what a year costs; the switch is two links, so it works without scripts."""
    wanted = request.GET.get("interval", "")
    interval = wanted if wanted in _INTERVALS else str(PlanPrice.Interval.MONTH)
    plans = comparison.plans()
    cards = [card(plan, interval) for plan in plans]
    context = {
        "cards": cards,
        "rows": comparison.matrix(plans),
        "interval": interval,
        "intervals": _INTERVALS.items(),
        "saving": max((price.percent or 0 for plan in plans for price in comparison.prices(plan)), default=0),
        "sales_email": settings.SALES_EMAIL,
    }
    return render(request, "web/pricing.html", context)


def card(plan: Plan, interval: str) -> dict[str, Any]:
    """One plan with what it costs in the interval; `plan` comes from comparison.plans."""
    prices = [price for price in comparison.prices(plan) if price.interval == interval]
    return {
        "plan": plan,
        "prices": [price for price in prices if price.kind == PlanPrice.Kind.BASE],
        "seats": [price for price in prices if price.kind == PlanPrice.Kind.SEAT],
        "is_for_sale": comparison.can_be_bought(plan),
    }
