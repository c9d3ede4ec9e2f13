"""The organizer's page about plans: what each allows and costs, how much of one's own is used, and the ways to Stripe's pages."""

from typing import Any
from urllib.parse import urljoin
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone

from admin_ext.console import refusals
from admin_ext.console.base import ConsoleModelAdmin
from admin_ext.console.scope import visible
from audit.actor import Actor
from billing import comparison, plan_changes, seat_standing, subscribing, trials
from billing.models import Plan, PlanAccess, PlanChange, Subscription
from entitlements.models import Allowance
from organizations.models import Organization
from organizations.permissions import Permission, allows

_ASKED = {"cancel": plan_changes.cancel, "resume": plan_changes.resume, "undo": plan_changes.undo}


def show(admin: ConsoleModelAdmin, request: HttpRequest) -> HttpResponse:
    """The comparison of the plans that are offered to this kind of organization; staff see them all."""
    actor, site = admin.actor(request), admin.admin_site.name
    organization = visible(Organization, actor).filter(pk=actor.organization_id).first() if actor.organization_id else None
    audience = str(organization.kind) if organization else None
    access = visible(PlanAccess, actor).filter(organization=organization).select_related("plan").first() if organization else None
    subscription = Subscription.objects.visible_to(actor).filter(organization=organization).live().first() if organization else None
    return admin.own_page(
        request,
        "admin_ext/plans.html",
        "Plans",
        plans=[_card(plan) for plan in comparison.plans(audience=audience)],
        access=access,
        subscription=subscription,
        waiting=visible(PlanChange, actor).filter(subscription=subscription, state__in=PlanChange.OPEN).first() if subscription else None,
        bars=_bars(actor, organization.pk) if organization else [],
        may_manage=organization is not None and allows(actor, Permission.SUBSCRIPTION_MANAGE, organization.pk),
        may_try=access is None or access.state == PlanAccess.State.FREE,
        urls={name: reverse(f"admin:billing_plan_{name}", current_app=site) for name in ("try", "subscribe", "portal", "change")},
    )


def _card(plan: Plan) -> dict[str, Any]:
    return {"plan": plan, "rows": comparison.limits(plan), "prices": comparison.prices(plan)}


def _bars(actor: Actor, organization_id: UUID) -> list[dict[str, Any]]:
    now = timezone.now()
    rows = visible(Allowance, actor).filter(grant__organization_id=organization_id).select_related("grant").order_by("pk")
    found = [(row, row.effective_limit(now)) for row in rows if row.is_counted]
    bars = [
        {"name": row.get_resource_display(), "used": row.used, "limit": limit, "ends_at": row.grant.period_ends_at} for row, limit in found
    ]
    return [*bars, *_seats(actor, organization_id)]


def _seats(actor: Actor, organization_id: UUID) -> list[dict[str, Any]]:
    if not allows(actor, Permission.SUBSCRIPTION_VIEW, organization_id):
        return []
    found = seat_standing.of(organization_id)
    return [{"name": "Seats", "used": found.used, "limit": max(found.room, found.included + found.billed), "ends_at": None}]


def _organization_id(admin: ConsoleModelAdmin, request: HttpRequest) -> UUID:
    """The organization that the console is switched to. Raises PermissionDenied."""
    actor = admin.actor(request)
    if actor.organization_id is None or not allows(actor, Permission.SUBSCRIPTION_MANAGE, actor.organization_id):
        raise PermissionDenied
    return actor.organization_id


def start_trial(admin: ConsoleModelAdmin, request: HttpRequest) -> HttpResponse:
    organization_id, back = _organization_id(admin, request), _back(admin)
    try:
        trials.start(organization_id=organization_id, plan=request.POST.get("plan", ""), by=admin.actor(request))
    except refusals.REFUSALS as refusal:
        return refusals.sentence(request, refusal, back=back)
    messages.success(request, "Started; everything that the plan allows can be used now.")
    return HttpResponseRedirect(back)


def subscribe(admin: ConsoleModelAdmin, request: HttpRequest) -> HttpResponse:
    """Stripe's page for the chosen plan."""
    organization_id, back = _organization_id(admin, request), _back(admin)
    given = {"plan": request.POST.get("plan", ""), "interval": request.POST.get("interval", "")}
    try:
        url = subscribing.checkout_url(organization_id=organization_id, return_url=_outside(back), by=admin.actor(request), **given)
    except refusals.REFUSALS as refusal:
        return refusals.sentence(request, refusal, back=back)
    return _leave(request, url, back)


def portal(admin: ConsoleModelAdmin, request: HttpRequest) -> HttpResponse:
    """Stripe's page for the card, the invoices and the end of the subscription."""
    organization_id, back = _organization_id(admin, request), _back(admin)
    try:
        url = subscribing.portal_url(organization_id=organization_id, return_url=_outside(back), by=admin.actor(request))
    except refusals.REFUSALS as refusal:
        return refusals.sentence(request, refusal, back=back)
    return _leave(request, url, back)


def change(admin: ConsoleModelAdmin, request: HttpRequest) -> HttpResponse:
    """Another plan, the end of the subscription, or neither after all: one operation each."""
    organization_id, back, actor = _organization_id(admin, request), _back(admin), admin.actor(request)
    subscription = Subscription.objects.visible_to(actor).filter(organization_id=organization_id).live().first()
    if subscription is None:
        return refusals.sentence(request, subscribing.NotSubscribed(), back=back)
    what, key = request.POST.get("do", ""), subscription.pk
    try:
        if what in _ASKED:
            _ASKED[what](subscription_id=key, by=actor)
        else:
            given = {"plan": request.POST.get("plan", ""), "interval": request.POST.get("interval", "")}
            plan_changes.change(subscription_id=key, by=actor, **given)
    except refusals.REFUSALS as refusal:
        return refusals.sentence(request, refusal, back=back)
    messages.success(request, "Asked for; it stands here as soon as Stripe has confirmed it.")
    return HttpResponseRedirect(back)


def _back(admin: ConsoleModelAdmin) -> str:
    return reverse("admin:billing_plan_compare", current_app=admin.admin_site.name)


def _outside(path: str) -> str:
    return urljoin(settings.BASE_URL, path)


def _leave(request: HttpRequest, url: str | None, back: str) -> HttpResponse:
    if url is None:
        messages.warning(request, "Stripe did not answer in time; try again in a minute.")
    return HttpResponseRedirect(url or back)
