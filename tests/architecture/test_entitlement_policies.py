"""Every way to write has a declared policy towards the plan; what makes or publishes something asks it, and is seen to ask."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from admin_ext.sites import staff_site
from config.env import BASE_DIR
from entitlements import usage
from entitlements.models import Allowance, Grant
from events import authoring, publishing
from events.models import Event
from tests.factories.events import DraftEventFactory
from tests.factories.people import Personas, personas

# What asks the plan, by name of the operation that does it; each is driven below without a grant and in the grace period.
ASKS = {
    "POST /api/v1/events/{event_id}/publish": "publish",
    "events.event:publish": "publish",
    "add events.event": "create",
    "edit events.event": "enlarge",
}
# What asks nothing, and why.
MONEY = "moves or explains money that was taken already; nobody is kept from giving it back"
READING = "changes how something is described, shown or delivered; nothing is made"
PRICES = "what places cost that were published under a plan; no plan limits codes"
ATTENDEE = "an attendee's own; the event was published under a plan"
LESS = "takes something back"
STAFF = "the platform's own work"
SEATS = "who works for an organization; a role that takes a seat asks for that by seating, not by a quota of what is made"
OWN = "a person's own: where an organization begins, before it has a plan, and how an invitation is answered"
FREE = {
    "POST /api/v1/events/{event_id}/quote": READING,
    "POST /api/v1/events/{event_id}/registrations": ATTENDEE,
    "POST /api/v1/registrations/{registration_id}/cancel": LESS,
    "POST /api/v1/registrations/{registration_id}/checkout": ATTENDEE,
    "POST /api/v1/registrations/{registration_id}/refund": MONEY,
    "POST /api/v1/organizations/{organization_id}/payouts": MONEY,
    "PATCH /api/v1/me": ATTENDEE,
    "POST /api/v1/me/registrations/{registration_id}/cancel": LESS,
    "POST /api/v1/me/registrations/{registration_id}/checkout": ATTENDEE,
    "DELETE /api/v1/me/sessions": LESS,
    "DELETE /api/v1/me/sessions/{session_id}": LESS,
    "events.event:unpublish": LESS,
    "events.event:add_session": READING,
    "events.session:edit_session": READING,
    "events.session:remove_session": LESS,
    "promo_codes.promocode:pause": LESS,
    "promo_codes.promocode:resume": PRICES,
    "promo_codes.promocode:archive": LESS,
    "promo_codes.promocode:promo_code_archive": LESS,
    "add promo_codes.promocode": PRICES,
    "edit promo_codes.promocode": PRICES,
    "organizations.organization:import_codes": PRICES,
    "registrations.registration:cancel": LESS,
    "registrations.registration:refund": MONEY,
    "registrations.registration:registration_refund": MONEY,
    "organizations.organization:set_up_payouts": MONEY,
    "organizations.organization:start_trial": "what a plan is begun with",
    "edit organizations.organization": READING,
    "organizations.organization:set_logo": READING,
    "organizations.organization:remove_logo": LESS,
    "organizations.organization:export": "takes along what is there; whoever lost their plan may, too",
    "organizations.organization:close": LESS,
    "organizations.organization:grant_admin": STAFF,
    "organizations.organization:act_for": STAFF,
    "organizations.actinggrant:end": LESS,
    "organizations.organization:invite": SEATS,
    "organizations.organization:invite_file": SEATS,
    "organizations.invitation:resend": SEATS,
    "organizations.invitation:invitation_resend": SEATS,
    "organizations.invitation:revoke": LESS,
    "organizations.invitation:invitation_revoke": LESS,
    "organizations.membership:change_role": SEATS,
    "organizations.membership:membership_change_role": SEATS,
    "organizations.membership:offer_admin": SEATS,
    "organizations.membership:remove": LESS,
    "organizations.membership:membership_remove": LESS,
    "organizations.adminoffer:withdraw": LESS,
    "POST /api/v1/organizations": OWN,
    "POST /api/v1/invitations/{token}": OWN,
    "POST /api/v1/organizations/{organization_id}/invitations": SEATS,
    "POST /api/v1/organizations/{organization_id}/invitations/{invitation_id}/resend": SEATS,
    "DELETE /api/v1/organizations/{organization_id}/invitations/{invitation_id}": LESS,
    "PATCH /api/v1/organizations/{organization_id}/members/{membership_id}": SEATS,
    "DELETE /api/v1/organizations/{organization_id}/members/{membership_id}": LESS,
    "accounts.user:unlock": STAFF,
    "entitlements.allowance:override": STAFF,
    "core.job:retry": STAFF,
    "core.job:job_retry": STAFF,
    "notifications.message:resend": STAFF,
    "notifications.message:message_resend": STAFF,
}
MONEY_APPS = ("billing.",)  # everything of billing is money or the catalogue


def ways() -> set[str]:
    """Every route that writes, and every button, bulk action and form of the consoles."""
    paths = json.loads((BASE_DIR / "public_api/openapi.json").read_text(encoding="utf-8"))["paths"]
    found = {f"{method.upper()} {path}" for path, item in paths.items() for method in item if method != "get"}
    for model, admin in staff_site._registry.items():
        label = model._meta.label_lower
        found |= {f"{label}:{name}" for name in admin.buttons} | {f"{label}:{one.__name__}" for one in admin.actions}
        found |= {f"edit {label}"} if admin.edit_fields else set()
        found |= {f"add {label}"} if admin.add_permission is not None else set()
    return found


def _is_billing(way: str) -> bool:
    return way.split(" ")[-1].startswith(MONEY_APPS)


class TestEveryWayToWrite:
    def test_has_a_declared_policy(self) -> None:
        undeclared = {way for way in ways() if way not in ASKS and way not in FREE and not _is_billing(way)}
        assert undeclared == set(), "Say in ASKS or FREE how it stands to the plan."

    def test_and_no_policy_is_about_something_that_is_gone(self) -> None:
        assert {*ASKS, *FREE} - ways() == set()

    def test_none_is_in_both(self) -> None:
        assert not set(ASKS) & set(FREE)


def _create(people: Personas, draft: Event) -> Any:
    starts = timezone.now() + timedelta(days=9)
    times = {"starts_at": starts, "ends_at": starts + timedelta(hours=1)}
    return authoring.create(organization_id=people.organization.pk, by=people.as_alice, title="x", capacity=1, **times)


DRIVERS: dict[str, Any] = {
    "create": _create,
    "publish": lambda people, draft: publishing.publish(event_id=draft.pk, by=people.as_alice),
    "enlarge": lambda people, draft: authoring.edit(event_id=draft.pk, by=people.as_alice, capacity=99),
}


@pytest.mark.django_db
@pytest.mark.rule("S6")
@pytest.mark.parametrize("policy", sorted(set(ASKS.values())))
class TestWhatAsks:
    def test_is_refused_without_a_grant(self, policy: str) -> None:
        people = personas()
        draft = DraftEventFactory(organization=people.organization, host=people.alice)
        Allowance.objects.all().delete()
        Grant.objects.all().delete()
        with pytest.raises(usage.LimitReached):
            DRIVERS[policy](people, draft)

    @pytest.mark.rule("M3")
    def test_is_refused_in_the_grace_period(self, policy: str) -> None:
        people = personas()
        draft = DraftEventFactory(organization=people.organization, host=people.alice)
        Grant.objects.update(access="grace")
        with pytest.raises(usage.PlanInactive):
            DRIVERS[policy](people, draft)
