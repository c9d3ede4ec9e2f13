"""The organizer's page about plans: what each allows and costs, how much of one's own is used, and the ways to Stripe's pages."""

from typing import Any
from urllib.parse import urljoin
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from admin_ext.console import refusals
from admin_ext.console.base import ConsoleModelAdmin
from admin_ext.console.scope import visible
from admin_ext.dashboards import usage
from billing import comparison, plan_changes, return_links, subscribing, trials
from billing.models import Plan, PlanAccess, PlanChange, Subscription
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
    plans = comparison.plans(audience=audience)
    return admin.own_page(
        request,
        "admin_ext/plans.html",
        "Plans",
        plans=[_card(plan) for plan in plans],
        matrix=comparison.matrix(plans),
        came_back=_came_back(request, organization, subscription),
        sales_email=settings.SALES_EMAIL,
        access=access,
        subscription=subscription,
        waiting=visible(PlanChange, actor).filter(subscription=subscription, state__in=PlanChange.OPEN).first() if subscription else None,
        usage=usage.bars(actor, organization, site) if organization else None,
        may_manage=organization is not None and allows(actor, Permission.SUBSCRIPTION_MANAGE, organization.pk),
        may_try=access is None or access.state == PlanAccess.State.FREE,
        urls={name: reverse(f"admin:billing_plan_{name}", current_app=site) for name in ("try", "subscribe", "portal", "change")},
    )


def _card(plan: Plan) -> dict[str, Any]:
    return {"plan": plan, "prices": comparison.prices(plan), "is_for_sale": comparison.can_be_bought(plan)}


def _came_back(request: HttpRequest, organization: Organization | None, subscription: Subscription | None) -> tuple[str, str] | None:
    """What to say to somebody who comes from Stripe's pages: (kind of note, sentence). What they did there Stripe says, not the address."""
    text = request.GET.get(return_links.PARAMETER)
    if text is None or organization is None:
        return None
    try:
        what = return_links.opened(text, organization_id=organization.pk)
    except (return_links.StaleReturn, return_links.ForeignReturn) as refusal:
        return "warning", str(refusal)
    if what == return_links.PORTAL:
        return "success", "You are back from Stripe; what you changed there stands here as soon as Stripe has told us."
    if subscription is not None:
        return "success", "Stripe has confirmed the subscription; everything that the plan allows can be used."
    return "warning", "Stripe has confirmed no subscription yet: if you paid, it stands here within a minute; if not, nothing was charged."


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
        url = subscribing.checkout_url(
            organization_id=organization_id,
            return_url=_outside(back, organization_id, return_links.CHECKOUT),
            by=admin.actor(request),
            **given,
        )
    except refusals.REFUSALS as refusal:
        return refusals.sentence(request, refusal, back=back)
    return _leave(request, url, back)


def portal(admin: ConsoleModelAdmin, request: HttpRequest) -> HttpResponse:
    """Stripe's page for the card, the invoices and the end of the subscription."""
    organization_id, back = _organization_id(admin, request), _back(admin)
    try:
        url = subscribing.portal_url(
            organization_id=organization_id, return_url=_outside(back, organization_id, return_links.PORTAL), by=admin.actor(request)
        )
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


def _outside(path: str, organization_id: UUID, what: str) -> str:
    return return_links.address(urljoin(settings.BASE_URL, path), organization_id=organization_id, what=what)


def _leave(request: HttpRequest, url: str | None, back: str) -> HttpResponse:
    if url is None:
        messages.warning(request, "Stripe did not answer in time; try again in a minute.")
    return HttpResponseRedirect(url or back)
