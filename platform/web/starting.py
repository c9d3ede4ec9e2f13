"""The first steps of somebody new: what one is here for, then a plan and an organization, then the console."""

from typing import Any
from urllib.parse import urlencode

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from billing import comparison, return_links, starting, subscribing
from billing.models import Plan
from core.errors import DomainError, InvalidInput
from organizations.acting import SWITCHED_TO
from organizations.models import Membership, Organization
from web import pricing
from web.acting import actor


class Beginning(forms.Form):
    """plans: those of the kind that are offered, from comparison.plans."""

    plan = forms.ChoiceField(label="Plan", widget=forms.RadioSelect)
    way = forms.ChoiceField(label="How to begin", widget=forms.RadioSelect)
    name = forms.CharField(max_length=200, label="Name", help_text="As people see it on your events.")
    country = forms.CharField(
        max_length=2, min_length=2, label="Country (two letters)", help_text="Where it is established, for example DE."
    )

    def __init__(self, *given: Any, plans: list[Plan], **values: Any) -> None:
        super().__init__(*given, **values)
        chosen: Any = self.fields["plan"]
        chosen.choices = [(plan.code, plan.name) for plan in plans]
        self.fields["way"].choices = _ways(plans)  # type: ignore[attr-defined]


def _ways(plans: list[Plan]) -> list[tuple[str, str]]:
    """The trial first, where any plan has one: it asks for no card."""
    days = sorted({plan.trial_days for plan in plans if plan.trial_days})
    trial = [(starting.TRIAL, f"Try it for {days[0] if len(days) == 1 else f'up to {days[-1]}'} days. No card is needed.")] if days else []
    return [*trial, ("month", "Pay by the month, now, on Stripe's page."), ("year", "Pay by the year, now, on Stripe's page.")]


@require_safe
def choose(request: HttpRequest) -> HttpResponse:
    """What one is here for. Somebody who works for an organization already is told of it."""
    by = actor(request)
    works = Membership.objects.active().of(by).exists() if by.user_id else False
    return render(request, "web/start.html", {"works": works})


@require_http_methods(["GET", "HEAD", "POST"])
def begin(request: HttpRequest, kind: str) -> HttpResponse:
    """A plan, and the organization that has it; a POST makes both or neither."""
    if not request.user.is_authenticated:
        return redirect(f"{reverse('account_signup')}?{urlencode({REDIRECT_FIELD_NAME: request.get_full_path()})}")
    offered = comparison.plans(audience=kind)
    plans = [plan for plan in offered if comparison.can_be_bought(plan)]
    form = Beginning(request.POST if request.method == "POST" else None, plans=plans, initial=_asked(request, plans))
    status = 200
    if request.method == "POST" and form.is_valid():
        try:
            made = starting.begin(kind=kind, by=actor(request), **form.cleaned_data)
        except DomainError as refusal:
            field = refusal.field if isinstance(refusal, InvalidInput) else None
            form.add_error(field if field in form.fields else None, str(refusal))
            status = refusal.http_status
        else:
            return _on(request, made, form.cleaned_data)
    cards = [{**pricing.card(plan, "month"), "yearly": pricing.card(plan, "year")["prices"]} for plan in offered]
    context = {"form": form, "kind": kind, "cards": cards, "plans": plans, "sales_email": settings.SALES_EMAIL}
    return render(request, "web/start_plan.html", context, status=status)


def _asked(request: HttpRequest, plans: list[Plan]) -> dict[str, Any]:
    """What the pricing page chose; the first plan and the trial otherwise."""
    codes = [plan.code for plan in plans]
    plan, way = request.GET.get("plan", ""), request.GET.get("way", "")
    return {"plan": plan if plan in codes else next(iter(codes), None), "way": way if way in starting.WAYS else starting.TRIAL}


def _on(request: HttpRequest, made: Organization, chosen: dict[str, Any]) -> HttpResponse:
    """To the console with the new organization, or to Stripe's page first, which leads there."""
    request.session[SWITCHED_TO] = str(made.pk)
    plans_page = reverse("admin:billing_plan_compare", current_app="console")
    if chosen["way"] == starting.TRIAL:
        messages.success(request, f"{made.name} is there, and its trial has begun.")
        return redirect(reverse("admin:index", current_app="console"))
    messages.success(request, f"{made.name} is there; you are its admin.")
    back = return_links.address(f"{settings.BASE_URL}{plans_page}", organization_id=made.pk, what=return_links.CHECKOUT)
    try:
        url = subscribing.checkout_url(
            organization_id=made.pk, plan=chosen["plan"], interval=chosen["way"], return_url=back, by=actor(request)
        )
    except DomainError as refusal:
        messages.error(request, str(refusal))
        return redirect(plans_page)
    if url is None:
        messages.warning(request, "Stripe did not answer in time; subscribe here in a minute.")
    return redirect(url or plans_page)
