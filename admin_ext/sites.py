"""The two consoles: /staff/ for the platform's people, /console/ for organizers. What is not registered on a site does not exist there."""

from dataclasses import replace
from functools import update_wrapper
from typing import Any, cast
from uuid import UUID

from allauth.mfa.utils import is_mfa_enabled
from django.contrib import messages
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, URLResolver, path, reverse
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.views.decorators.http import require_POST
from unfold.sites import UnfoldAdminSite

from accounts import second_factor
from accounts.models import User
from admin_ext import first_steps
from admin_ext.billing import dunning
from admin_ext.console import autocomplete, searching
from admin_ext.dashboards import usage
from admin_ext.home import home
from audit.actor import Actor
from core.public_ids import decode
from organizations import staff_acting
from organizations.acting import SWITCHED_TO, acting_for, actor_for
from organizations.models import ActingGrant, Membership, Organization
from organizations.permissions import RULES, Permission, allows

MONEY_ROLES = frozenset(role for rule in RULES.values() if rule.step_up for role in rule.roles)


class ConsoleSite(UnfoldAdminSite):  # type: ignore[misc]
    """What both share: sign-in through allauth, one actor per request, a home page of work queues, a search of their own."""

    index_template = "admin_ext/home.html"
    enable_nav_sidebar = True

    def actor(self, request: HttpRequest) -> Actor:
        """Who acts, read once per request."""
        attribute = f"_actor_of_{self.name}"
        if not hasattr(request, attribute):
            setattr(request, attribute, self._actor(request))
        actor: Actor = getattr(request, attribute)
        return actor

    def _actor(self, request: HttpRequest) -> Actor:
        raise NotImplementedError

    def may_enter(self, request: HttpRequest) -> bool:
        """Whether this person belongs here at all, their second factor left aside."""
        raise NotImplementedError

    def needs_second_factor(self, request: HttpRequest) -> bool:
        raise NotImplementedError

    def has_permission(self, request: HttpRequest) -> bool:
        user = request.user
        if not (user.is_authenticated and user.is_active and self.may_enter(request)):
            return False
        return not self.needs_second_factor(request) or second_factor.second_factor_satisfied(request)

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Password and second factor belong to allauth; this sends people to the page that is missing.

        Raises PermissionDenied for somebody who is signed in and has no business here: a redirect would go round in circles.
        """
        target = self._target(request)
        if not isinstance(request.user, User):
            return HttpResponseRedirect(f"{reverse('account_login')}?{urlencode({REDIRECT_FIELD_NAME: target})}")
        if not self.may_enter(request):
            raise PermissionDenied
        if self.has_permission(request):
            return HttpResponseRedirect(target)
        if not is_mfa_enabled(request.user):
            messages.warning(request, "Set up a second factor first: this console asks for one at every sign-in.")
        return HttpResponseRedirect(second_factor.page_that_asks(request, back=target))

    def _target(self, request: HttpRequest) -> str:
        asked = request.GET.get(REDIRECT_FIELD_NAME, "")
        if asked and url_has_allowed_host_and_scheme(asked, allowed_hosts={request.get_host()}, require_https=request.is_secure()):
            return asked
        return reverse("admin:index", current_app=self.name)

    def logout(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return HttpResponseRedirect(reverse("account_logout"))

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return HttpResponseRedirect(reverse("account_change_password"))

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        context = {"title": "Home", **home(request, self), **(extra_context or {})}
        response: HttpResponse = super().index(request, extra_context=context)
        return response

    def search(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return searching.search(self, request)

    def autocomplete_view(self, request: HttpRequest) -> HttpResponse:
        return cast(HttpResponse, autocomplete.ScopedAutocomplete.as_view(admin_site=self)(request))

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        request._console_site = self  # type: ignore[attr-defined]  # Unfold hands its callbacks the request alone
        context: dict[str, Any] = super().each_context(request)
        context["console_name"] = self.name
        return context


class StaffSite(ConsoleSite):
    settings_name = "UNFOLD"

    def may_enter(self, request: HttpRequest) -> bool:
        return isinstance(request.user, User) and request.user.is_staff

    def needs_second_factor(self, request: HttpRequest) -> bool:
        return True

    def _actor(self, request: HttpRequest) -> Actor:
        return actor_for(
            _signed_in(request),
            second_factor_at=second_factor.used_at(request),
            as_staff=second_factor.second_factor_satisfied(request),
            **_origin(request),
        )


class OrganizerSite(ConsoleSite):
    """One organization at a time, the one that the session is switched to; staff groups count for nothing here.

    Somebody of support who acts in an organization's place sees that one alone, and every request is kept.
    """

    settings_name = "UNFOLD_CONSOLE"

    def may_enter(self, request: HttpRequest) -> bool:
        return bool(self.grant(request) or self.memberships(request))

    def needs_second_factor(self, request: HttpRequest) -> bool:
        return self.grant(request) is not None or any(membership.role in MONEY_ROLES for membership in self.memberships(request))

    def memberships(self, request: HttpRequest) -> list[Membership]:
        """The person's active memberships with their organizations, by name; read once per request."""
        if not isinstance(request.user, User):
            return []
        if not hasattr(request, "_console_memberships"):
            mine = Membership.objects.active().filter(user=request.user).select_related("organization").order_by("organization__name", "pk")
            request._console_memberships = list(mine)  # type: ignore[attr-defined]
        memberships: list[Membership] = request._console_memberships  # type: ignore[attr-defined]
        return memberships

    def grant(self, request: HttpRequest) -> ActingGrant | None:
        """In whose place somebody of the platform is here; read once per request."""
        if not hasattr(request, "_console_grant"):
            request._console_grant = staff_acting.of(request.user) if isinstance(request.user, User) else None  # type: ignore[attr-defined]
        grant: ActingGrant | None = request._console_grant  # type: ignore[attr-defined]
        return grant

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        """Every page goes through here: what is asked for in an organization's place is kept before it is answered."""
        inner = super().admin_view(view, cacheable)

        def noted(request: HttpRequest, *args: Any, **values: Any) -> Any:
            grant = self.grant(request)
            if grant is not None and self.has_permission(request):
                staff_acting.note(grant=grant, method=str(request.method), path=request.get_full_path(), by=self.actor(request))
            return inner(request, *args, **values)

        return update_wrapper(noted, inner)

    def organization(self, request: HttpRequest) -> Organization | None:
        """The one that the console is switched to; the first one where nothing was chosen, or the choice has ended."""
        grant = self.grant(request)
        if grant is not None:
            return grant.organization
        mine = [membership.organization for membership in self.memberships(request)]
        chosen = request.session.get(SWITCHED_TO)
        return next((organization for organization in mine if str(organization.pk) == chosen), mine[0] if mine else None)

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Somebody who works for no organization yet is led to where one begins; the platform's people have their own console."""
        if isinstance(request.user, User) and not request.user.is_staff and not self.may_enter(request):
            messages.info(request, "You work for no organization yet. Begin one here, or open the link of an invitation.")
            return HttpResponseRedirect(reverse("web:start"))
        return super().login(request, extra_context)

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        actor, organization = self.actor(request), self.organization(request)
        more: dict[str, Any] = {}
        if organization is not None:
            more["steps"] = first_steps.of(actor, organization, self)
            if allows(actor, Permission.USAGE_VIEW, organization.pk):
                more["usage"] = usage.bars(actor, organization, self.name)
        return super().index(request, {**more, **(extra_context or {})})

    def _actor(self, request: HttpRequest) -> Actor:
        grant = self.grant(request)
        if grant is not None:
            return acting_for(_signed_in(request), grant, second_factor_at=second_factor.used_at(request), **_origin(request))
        organization = self.organization(request)
        actor = actor_for(
            _signed_in(request),
            second_factor_at=second_factor.used_at(request),
            as_staff=False,
            organization_id=organization.pk if organization else None,
            **_origin(request),
        )
        return replace(actor, organization_ids=frozenset({organization.pk} if organization else ()))

    def get_urls(self) -> list[URLResolver | URLPattern]:
        switch = path("switch/", self.admin_view(require_POST(self.switch)), name="switch")
        end = path("acting/end/", self.admin_view(require_POST(self.end_acting)), name="end_acting")
        return [switch, end, *super().get_urls()]

    def end_acting(self, request: HttpRequest) -> HttpResponse:
        """Back to the staff console; nothing is done in the organization's place any more."""
        grant = self.grant(request)
        if grant is not None:
            staff_acting.end(grant_id=grant.pk, by=self.actor(request))
        return HttpResponseRedirect(reverse("admin:index", current_app=staff_site.name))

    def switch(self, request: HttpRequest) -> HttpResponse:
        """Work for another of one's organizations from here on; one that is not one's own changes nothing."""
        wanted = _decoded(request.POST.get("organization", ""))
        if any(membership.organization_id == wanted for membership in self.memberships(request)):
            request.session[SWITCHED_TO] = str(wanted)
        else:
            messages.error(request, "You do not work for this organization, or not any more.")
        return HttpResponseRedirect(reverse("admin:index", current_app=self.name))

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        context = super().each_context(request)
        if self.has_permission(request):
            context["organization"] = self.organization(request)
            grant = self.grant(request)
            context["acting"] = grant
            context["dunning"] = dunning.banner(self.actor(request), self.name)
            context["organizations"] = [grant.organization] if grant else [one.organization for one in self.memberships(request)]
        return context


def _signed_in(request: HttpRequest) -> User:
    if not isinstance(request.user, User):
        raise PermissionDenied
    return request.user


def _origin(request: HttpRequest) -> dict[str, Any]:
    return {"request_id": request.META.get("REQUEST_ID", ""), "ip": request.META.get("REMOTE_ADDR") or None}


def _decoded(public_id: str) -> UUID | None:
    try:
        return decode(Organization.public_prefix, public_id)
    except ValueError:
        return None


staff_site = StaffSite(name="admin")
console_site = OrganizerSite(name="console")
