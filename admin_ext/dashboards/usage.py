"""How much of its plan an organization has used, in bars and words; for staff, who is near a limit."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.db.models import Case, F, Q, QuerySet, When
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import NoReverseMatch, reverse
from django.utils import timezone

from admin_ext.console.scope import visible
from admin_ext.console.urls import change_url, decoded, list_url
from admin_ext.ledger import organization_names
from audit.actor import Actor
from billing import seat_standing
from entitlements import standing
from entitlements.models import COUNTED, Allowance, Grant
from entitlements.standing import Standing, Used
from entitlements.usage import WARN_AT
from organizations.models import Organization
from organizations.permissions import Permission, allows

PAGE = "entitlements_usage"
_MOST = 50


@dataclass(frozen=True, slots=True)
class Bars:
    """What one organization has used. standing: None where it has no plan; plans_url: where a larger one is chosen, by who may.

    seats_url: where further seats are bought, by who may, of a plan that sells some.
    """

    standing: Standing | None
    rows: list[Used]
    plans_url: str | None
    seats_url: str | None = None


def page(admin: Any, request: HttpRequest) -> HttpResponse:
    """One's own organization in the organizers' console; for staff ?organization=org_…, and without it who is near a limit."""
    actor, site = admin.actor(request), admin.admin_site.name
    organization = _organization(admin, request)
    context: dict[str, Any] = {"organization": organization, "quotas_url": list_url(site, Allowance)}
    if organization is None:
        context["near"] = near_a_limit(visible(Allowance, actor), site)
    else:
        context["usage"] = bars(actor, organization, site)
        context["organization_url"] = change_url(site, organization)
    answer: HttpResponse = admin.own_page(request, "admin_ext/usage.html", "Usage", **context)
    return answer


def _organization(admin: Any, request: HttpRequest) -> Organization | None:
    actor, wanted = admin.actor(request), request.GET.get("organization")
    rows = visible(Organization, actor)
    if not wanted:
        own: Organization | None = rows.filter(pk=actor.organization_id).first() if actor.organization_id else None
        return own
    found: Organization | None = rows.filter(pk=decoded(Organization, wanted)).first()
    if found is None:
        raise Http404
    return found


def bars(actor: Actor, organization: Organization, site: str) -> Bars:
    """What the actor may see of it."""
    found = standing.of(visible(Grant, actor).filter(organization_id=organization.pk), at=timezone.now()).get(organization.pk)
    may_choose = allows(actor, Permission.SUBSCRIPTION_VIEW, organization.pk) and site != "admin"
    plans_url = reverse("admin:billing_plan_compare", current_app=site) if may_choose else None
    seats = seat_standing.of(organization.pk)
    may_buy = seats.price is not None and not seats.why and allows(actor, Permission.SUBSCRIPTION_MANAGE, organization.pk)
    seats_url = change_url(site, organization) if may_buy else None
    return Bars(found, [*(found.counted if found else ()), _seats(seats)], plans_url, seats_url)


def _seats(found: seat_standing.Standing) -> Used:
    """Members and invitations in roles that take a seat, of those that may be used now."""
    return Used("seats", "Seats", found.used, max(found.room, found.included + found.billed))


def url_for(site: str, organization: Organization) -> str | None:
    """The page about this organization on the site; None where the site has none."""
    try:
        address = reverse(f"admin:{PAGE}", current_app=site)
    except NoReverseMatch:
        return None
    return f"{address}?{urlencode({'organization': organization.public_id})}" if site == "admin" else address


@dataclass(frozen=True, slots=True)
class Near:
    organization: str
    url: str
    used: Used
    ends_at: Any


def near_a_limit(rows: QuerySet[Allowance], site: str) -> list[Near]:
    """Counters at 80 % or more, the fullest first."""
    given = Q(override_limit__isnull=False) & (Q(override_until=None) | Q(override_until__gt=timezone.now()))
    effective = Case(When(given, then=F("override_limit")), default=F("limit"))
    full = rows.filter(resource__in=COUNTED).annotate(effective=effective).filter(effective__gt=0)
    full = full.filter(used__gte=F("effective") * WARN_AT[0] / 100.0).annotate(share=F("used") * 1.0 / F("effective"))
    found = list(full.select_related("grant").order_by("-share", "pk")[:_MOST])
    names = organization_names(row.grant.organization_id for row in found)
    return [_near(row, names, site) for row in found]


def _near(row: Any, names: dict[str, str], site: str) -> Near:
    organization = Organization(pk=row.grant.organization_id)
    used = Used(str(row.resource), str(row.get_resource_display()), row.used, row.effective)
    return Near(names.get(str(organization.pk), ""), url_for(site, organization) or "", used, row.grant.period_ends_at)
