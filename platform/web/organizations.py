"""One's own organizations: which there are, a new one, leaving one."""

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from audit.actor import Actor
from core.errors import DomainError, InvalidInput, NotFound
from organizations import admin_offers, belongings, creating, members
from organizations.models import AdminOffer, Membership, Organization
from web.acting import actor, key_of


class NewOrganization(forms.Form):
    name = forms.CharField(max_length=200, label="Name", help_text="As people see it on your events.")
    kind = forms.ChoiceField(
        label="For whom",
        choices=[("team", "A team: several people work for it"), ("personal", "Only me: my own workspace")],
        widget=forms.RadioSelect,
        initial="team",
    )
    country = forms.CharField(
        max_length=2, min_length=2, label="Country (two letters)", help_text="Where it is established, for example DE."
    )


@login_required
@require_safe
def mine(request: HttpRequest) -> HttpResponse:
    """Those that one works for now, with what one is there."""
    by = actor(request)
    rows = Membership.objects.active().of(by).select_related("organization").order_by("organization__name", "pk")
    offers = AdminOffer.objects.of(by).filter(state=AdminOffer.State.PENDING, expires_at__gt=timezone.now())
    offers = offers.select_related("organization", "offered_by").order_by("pk")
    switch = reverse("admin:switch", current_app="console")
    return render(request, "web/organizations.html", {"memberships": rows, "offers": offers, "switch_url": switch})


@login_required
@require_POST
def answer_offer(request: HttpRequest, public_id: str) -> HttpResponse:
    """Yes or no to the admin role that somebody offered."""
    offer_id, by = key_of(AdminOffer.public_prefix, public_id), actor(request)
    says_yes = request.POST.get("answer") == "accept"
    try:
        answered = admin_offers.accept(offer_id=offer_id, by=by) if says_yes else admin_offers.decline(offer_id=offer_id, by=by)
    except NotFound as error:
        raise Http404 from error
    except DomainError as refusal:
        messages.error(request, str(refusal))
    else:
        done = f"You are an admin of {answered.organization} now." if says_yes else "Declined; nothing has changed."
        messages.success(request, done)
    return redirect("web:organizations")


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    form = NewOrganization(request.POST if request.method == "POST" else None)
    status = 200
    if request.method == "POST" and form.is_valid():
        try:
            made = creating.create(**form.cleaned_data, by=actor(request))
        except DomainError as refusal:
            field = refusal.field if isinstance(refusal, InvalidInput) else None
            form.add_error(field if field in form.fields else None, str(refusal))
            status = refusal.http_status
        else:
            messages.success(request, f"{made.name} is there; you are its admin.")
            return redirect("web:organizations")
    return render(request, "web/organization_new.html", {"form": form}, status=status)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def leave(request: HttpRequest, public_id: str) -> HttpResponse:
    """First the question, with who takes over what one hosts; then the deed."""
    by = actor(request)
    membership = _own(public_id, by)
    if request.method == "POST":
        successor = request.POST.get("successor", "")
        chosen = members.successors(membership).filter(pk=key_of(Membership.public_prefix, successor)).first() if successor else None
        try:
            members.leave(organization_id=membership.organization_id, successor_id=chosen.user_id if chosen else None, by=by)
        except NotFound as error:
            raise Http404 from error
        except DomainError as refusal:
            messages.error(request, str(refusal))
        else:
            messages.success(request, f"You do not work for {membership.organization} any more.")
            return redirect("web:organizations")
    return render(request, "web/organization_leave.html", _about(membership))


def _own(public_id: str, by: Actor) -> Membership:
    rows = Membership.objects.active().of(by).select_related("organization", "user")
    membership = rows.filter(organization_id=key_of(Organization.public_prefix, public_id)).first()
    if membership is None:
        raise Http404
    return membership


def _about(membership: Membership) -> dict[str, Any]:
    held = belongings.held(organization_id=membership.organization_id, user_id=membership.user_id)
    found = members.successors(membership).select_related("user").order_by("user__name", "pk")[:200] if held else []
    return {"membership": membership, "held": held, "successors": found}
