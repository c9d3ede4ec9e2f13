"""What somebody new in the organizers' console does first: a list that says what is done, and goes when all of it is."""

from dataclasses import dataclass
from typing import Any

from django.urls import reverse

from admin_ext.console.scope import visible
from admin_ext.console.urls import list_url
from audit.actor import Actor
from billing.models import ConnectedAccount, PayoutRequest
from entitlements.models import Grant
from events.models import Event
from organizations.models import Invitation, Membership, Organization
from organizations.permissions import Permission, allows


@dataclass(frozen=True, slots=True)
class Step:
    title: str
    says: str
    url: str
    is_done: bool


def of(actor: Actor, organization: Organization, site: Any) -> list[Step]:
    """For whoever looks after the organization; nothing once every step is done."""
    if not allows(actor, Permission.SUBSCRIPTION_MANAGE, organization.pk):
        return []
    steps = [_plan(actor, organization, site.name), _event(actor, site.name)]
    if organization.kind == Organization.Kind.TEAM:
        steps.append(_people(actor, site.name))
    if PayoutRequest in site._registry:
        steps.append(_payouts(actor, site.name))
    return [] if all(step.is_done for step in steps) else steps


def _plan(actor: Actor, organization: Organization, site: str) -> Step:
    chosen = visible(Grant, actor).filter(organization_id=organization.pk).exclude(access=Grant.Access.FREE).exists()
    url = reverse("admin:billing_plan_compare", current_app=site)
    return Step("Choose a plan", "Without one nothing can be published.", url, chosen)


def _event(actor: Actor, site: str) -> Step:
    url = reverse("admin:events_event_add", current_app=site)
    return Step("Create an event", "It stays a draft until you publish it.", url, visible(Event, actor).exists())


def _people(actor: Actor, site: str) -> Step:
    asked = visible(Invitation, actor).exists() or visible(Membership, actor).exclude(user_id=actor.user_id).exists()
    return Step("Invite the people you work with", "They get a link by mail.", list_url(site, Invitation) or "", asked)


def _payouts(actor: Actor, site: str) -> Step:
    is_set_up = visible(ConnectedAccount, actor).filter(details_submitted=True).exists()
    url = reverse("admin:billing_earnings", current_app=site) or list_url(site, PayoutRequest) or ""
    return Step("Set up payouts", "Stripe asks who is paid and where; paid events need it.", url, is_set_up)
