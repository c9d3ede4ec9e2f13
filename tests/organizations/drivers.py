"""By hand: which permission every screen, form, button, bulk action, operation and route needs, and how each is driven."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.utils import timezone

from billing.dispute_evidence import Upload
from events import authoring
from promo_codes import authoring as promo_codes
from tests.organizations.matrix import World
from tests.organizations.pictures import picture

# Screens: who may open the list and, where the object is in reach, its page.
SCREENS = {
    "organizations.organization": "organization.view",
    "organizations.membership": "member.view",
    "organizations.invitation": "invitation.view",
    "organizations.adminoffer": "admin.view",
    "organizations.actinggrant": "admin.view",
    "events.event": "event.view",
    "events.session": "event.view",
    "registrations.registration": "registration.view",
    "promo_codes.promocode": "promo_code.view",
    "promo_codes.redemption": "promo_code.view",
    "billing.payment": "payment.view",
    "billing.checkoutsession": "payment.view",
    "billing.refund": "payment.view",
    "billing.dispute": "payment.view",
    "billing.document": "payment.view",
    "billing.connectedaccount": "connect.view",
    "billing.payoutrequest": "payout.view",
    "admin_ext.bulkrun": "payment.view",
    "billing.stripecommand": "ledger.view",
    "billing.reconciliationrun": "ledger.view",
    "billing.discrepancy": "ledger.view",
    "billing.reconciliationperiod": "ledger.view",
    "billing.chargefee": "ledger.view",
    "billing.feeschedule": "ledger.view",
    "billing.taxrate": "ledger.view",
    "billing.plan": "plan.view",
    "entitlements.allowance": "usage.view",
    "billing.planaccess": "subscription.view",
    "entitlements.usagedrift": "ledger.view",
    "ledger.ledgertransaction": "ledger.view",
    "ledger.ledgerentry": "ledger.view",
    "billing.inboundevent": "inbound_event.view",
    "core.job": "job.view",
    "django_q.schedule": "job.view",
    "django_q.ormq": "job.view",
    "notifications.message": "message.view",
    "audit.auditentry": "audit.view",
    "accounts.user": "user.view",
}
# Objects of an organization as a whole; everything else of an organization belongs to one member in it.
WHOLE = {
    "billing.planaccess",
    "entitlements.allowance",
    "organizations.organization",
    "organizations.membership",
    "organizations.invitation",
    "organizations.adminoffer",
    "organizations.actinggrant",
    "audit.auditentry",
    "billing.connectedaccount",
    "billing.payoutrequest",
}


@dataclass(frozen=True)
class Form:
    """change: what the edit types over the values that the page shows; add: whether the same values, changed, can be added anew."""

    permission: str
    change: dict[str, str]
    add: bool = False


FORMS = {
    "organizations.organization": Form("organization.edit", {"name": "Renamed"}),
    "events.event": Form("event.manage", {"title": "Renamed"}, add=True),
    "promo_codes.promocode": Form("promo_code.manage", {"code": "RENAMED"}, add=True),
    "billing.feeschedule": Form("fee.edit", {"currency": "EUR"}, add=True),
    "billing.plan": Form("plan.edit", {"name": "Renamed"}, add=True),
    "billing.taxrate": Form("fee.edit", {"name": "Renamed", "jurisdiction": "FR"}, add=True),
}


@dataclass(frozen=True)
class Press:
    """typed: what the dialog posts; given: what the operation is called with. asks_first: before it looks for the object.

    seen: what shows the operation its object, where that is not the screen's. first: what is so before the button is looked for,
    taken back with what it does.
    """

    permission: str
    typed: dict[str, Any] = field(default_factory=dict)
    given: Callable[[], dict[str, Any]] = dict
    asks_first: bool = False
    seen: str = ""
    first: Callable[[World], object] | None = None


def _session() -> dict[str, Any]:
    starts = timezone.now() + timedelta(days=20, hours=1)
    return {"title": "Part two", "starts_at": starts, "ends_at": starts + timedelta(hours=1), "is_mandatory": True}


def _clock(**later: int) -> str:
    return (timezone.now() + timedelta(**later)).strftime("%Y-%m-%dT%H:%M")


class _File:
    """A file that can be posted again and again."""

    def __init__(self, name: str, content_type: str, content: bytes) -> None:
        self.name, self.content_type, self.content = name, content_type, content

    def read(self) -> bytes:
        return self.content


_PDF = _File("r.pdf", "application/pdf", b"%PDF-1.7")
_PEOPLE = b"email,role\r\nnew@example.org,organizer\r\n"
_CODES = b"code,kind,value\r\nAUTUMN,percent,5\r\n"
_NEW = {"email": "new@example.org", "role": "instructor"}
_HEIR = {"email": "heir@example.org", "reason": "Nobody is left"}
_CLOSE = {"confirmation": "North Clinic"}
_ACT = {"reason": "Ticket 1", "minutes": "30"}
_REFUND = {"amount": "10.00", "reason": "requested_by_customer"}
_PAYOUT = {"currency": "USD", "amount": "20.00"}
_TRIAL = {"plan": "team"}
_LONGER = {"days": 7, "reason": "Was ill"}
_QUOTA = {"limit": 40, "reason": "Agreed with sales"}
_PRICE = {"kind": "base", "interval": "month", "currency": "USD", "amount": "59.00"}
_WEEKLY = {"payout_schedule": "weekly"}
_WRONG = {"why": "The account looks wrong"}
_WHY = {"reason": "Agreed with the bank"}
BUTTONS = {
    "billing.payment:refund": Press("payment.refund", _REFUND, lambda: {"amount": 1000, "reason": "other", "source": "console"}),
    "registrations.registration:refund": Press("payment.refund", _REFUND, lambda: {"amount": 1000, "reason": "other"}),
    "registrations.registration:cancel": Press("registration.manage"),
    "billing.refund:approve": Press("refund.approve"),
    "billing.refund:reject": Press("refund.approve", {"why": "Paid twice"}, lambda: {"why": "Paid twice"}),
    "billing.refund:retry": Press("refund.retry"),
    "billing.payment:retry_link": Press("payment.retry"),
    "billing.discrepancy:refetch": Press("discrepancy.fix"),
    "billing.discrepancy:import_external": Press("discrepancy.fix"),
    "billing.discrepancy:adjust": Press(
        "discrepancy.fix", {"account": "platform_bank", **_WHY}, lambda: {"account": "platform_bank", **_WHY}
    ),
    "billing.discrepancy:explain": Press("discrepancy.fix", _WHY, lambda: _WHY),
    "billing.discrepancy:write_off": Press("discrepancy.fix", _WHY, lambda: _WHY),
    "billing.reconciliationperiod:close": Press("period.close"),
    "billing.dispute:evidence": Press("dispute.answer", {"uncategorized_text": "Sat it"}, lambda: {"uncategorized_text": "Sat it"}),
    "billing.dispute:attach": Press(
        "dispute.answer",
        {"kind": "receipt", "upload": _PDF},
        lambda: {"kind": "receipt", "upload": Upload("r.pdf", b"%PDF-1.7")},
    ),
    "billing.dispute:submit": Press("dispute.answer"),
    "billing.dispute:accept": Press("dispute.answer"),
    "billing.dispute:retry": Press("dispute.answer"),
    "events.event:publish": Press("event.manage"),
    "events.event:unpublish": Press("event.manage"),
    "events.event:add_session": Press(
        "event.manage",
        {"title": "Part two", "starts_at": _clock(days=20, hours=1), "ends_at": _clock(days=20, hours=2)},
        _session,
    ),
    "events.session:edit_session": Press(
        "event.manage",
        {"title": "Renamed", "starts_at": _clock(days=20, hours=1), "ends_at": _clock(days=20, hours=2)},
        lambda: {"title": "Renamed"},
    ),
    "events.session:remove_session": Press("event.manage"),
    "organizations.organization:invite": Press("instructor.manage", _NEW, lambda: _NEW),
    "organizations.organization:invite_file": Press(
        "member.manage", {"upload": _File("people.csv", "text/csv", _PEOPLE)}, lambda: {"content": _PEOPLE}
    ),
    "organizations.organization:import_codes": Press(
        "promo_code.import", {"upload": _File("codes.csv", "text/csv", _CODES)}, lambda: {"content": _CODES}
    ),
    "promo_codes.promocode:pause": Press("promo_code.manage"),
    "promo_codes.promocode:resume": Press("promo_code.manage"),
    "promo_codes.promocode:archive": Press("promo_code.manage"),
    "organizations.organization:set_logo": Press(
        "organization.edit", {"upload": _File("logo.png", "image/png", picture())}, lambda: {"content": picture()}
    ),
    "organizations.organization:remove_logo": Press("organization.edit", first=lambda world: world.with_logo()),
    "organizations.organization:grant_admin": Press("admin.grant", _HEIR, lambda: _HEIR),
    "organizations.organization:export": Press("organization.close"),
    "organizations.organization:close": Press("organization.close", _CLOSE, lambda: _CLOSE),
    "organizations.organization:act_for": Press("organization.act", _ACT, lambda: {"reason": "Ticket 1", "minutes": 30}),
    "organizations.actinggrant:end": Press("organization.act"),
    "organizations.adminoffer:withdraw": Press("admin.offer"),
    "organizations.membership:offer_admin": Press("admin.offer", {"becomes": "organizer"}, lambda: {"becomes": "organizer"}),
    "organizations.membership:change_role": Press("member.manage", {"role": "course_manager"}, lambda: {"role": "course_manager"}),
    "organizations.membership:remove": Press("instructor.manage"),
    "organizations.invitation:resend": Press("instructor.manage"),
    "organizations.invitation:revoke": Press("instructor.manage"),
    "organizations.organization:set_up_payouts": Press("connect.manage", first=lambda world: world.without_account()),
    "billing.connectedaccount:request_payout": Press(
        "payout.request", _PAYOUT, lambda: {**_PAYOUT, "amount": 2000, "source": "console"}, seen="organization.view"
    ),
    "billing.connectedaccount:payout_schedule": Press("payout.request", _WEEKLY, lambda: _WEEKLY),
    "organizations.organization:start_trial": Press(
        "subscription.manage", _TRIAL, lambda: _TRIAL, first=lambda world: world.without_plan()
    ),
    "billing.planaccess:extend_trial": Press("trial.extend", _LONGER, lambda: _LONGER),
    "entitlements.allowance:override": Press("quota.override", _QUOTA, lambda: _QUOTA),
    "billing.plan:set_price": Press("plan.edit", _PRICE, lambda: {**_PRICE, "amount": 5900}),
    "billing.payoutrequest:approve": Press("payout.approve"),
    "billing.payoutrequest:reject": Press("payout.approve", _WRONG, lambda: _WRONG),
    "billing.payoutrequest:hold": Press("payout.approve", _WRONG, lambda: _WRONG),
    "billing.payoutrequest:release": Press("payout.approve"),
    "billing.payoutrequest:retry": Press("payout.approve"),
    "billing.payoutrequest:cancel": Press("payout.request"),
    "billing.inboundevent:replay": Press("inbound_event.replay"),
    "accounts.user:unlock": Press("user.unlock", _WHY, lambda: _WHY, asks_first=True, first=lambda world: world.locked_out()),
    "core.job:retry": Press("job.retry", asks_first=True),
    "notifications.message:resend": Press("job.retry", asks_first=True),
}
# Bulk actions of the lists: whoever has the permission freezes a selection; the operation asks again for every row.
BULK = {
    "organizations.membership:membership_change_role": "member.manage",
    "organizations.membership:membership_remove": "member.manage",
    "organizations.invitation:invitation_resend": "member.manage",
    "organizations.invitation:invitation_revoke": "member.manage",
    "promo_codes.promocode:promo_code_archive": "promo_code.manage",
    "billing.payment:payment_refund": "payment.refund",
    "registrations.registration:registration_refund": "payment.refund",
    "billing.refund:refund_approve": "refund.approve",
    "billing.payoutrequest:payout_approve": "payout.approve",
    "billing.inboundevent:inbound_event_replay": "inbound_event.replay",
    "billing.inboundevent:inbound_event_dry_run": "inbound_event.replay",
    "core.job:job_retry": "job.retry",
    "notifications.message:message_resend": "job.retry",
}
# Lists that can be exported, by whoever may open them and has this permission too.
EXPORTS = dict.fromkeys(
    (
        "organizations.membership",
        "organizations.invitation",
        "events.event",
        "registrations.registration",
        "promo_codes.promocode",
        "promo_codes.redemption",
        "billing.payment",
        "billing.refund",
        "billing.document",
        "ledger.ledgerentry",
    ),
    "list.export",
)


def _create(world: World, by: Any) -> Any:
    starts = timezone.now() + timedelta(days=9)
    ends = starts + timedelta(hours=1)
    return authoring.create(
        organization_id=world.north.pk, by=by, title="New", starts_at=starts, ends_at=ends, capacity=9, host_id=world.host.pk
    )


def _edit(world: World, by: Any) -> Any:
    return authoring.edit(event_id=world.rows["events.event"].pk, by=by, title="Renamed")


def _create_code(world: World, by: Any) -> Any:
    events = [world.rows["events.event"].public_id]  # type: ignore[attr-defined]
    return promo_codes.create(organization_id=world.north.pk, by=by, code="AUTUMN", kind="percent", basis_points=500, subjects=events)


def _edit_code(world: World, by: Any) -> Any:
    return promo_codes.edit(promo_code_id=world.rows["promo_codes.promocode"].pk, by=by, description="Renamed")


# Operations behind forms: what shows the object, what is needed, and the call.
OPERATIONS = {
    "events.authoring.create": ("organization.view", "event.manage", _create),
    "events.authoring.edit": ("event.view", "event.manage", _edit),
    "promo_codes.authoring.create": ("organization.view", "promo_code.manage", _create_code),
    "promo_codes.authoring.edit": ("promo_code.view", "promo_code.manage", _edit_code),
}


@dataclass(frozen=True)
class Route:
    """sees: what makes the object visible (404 without); needs: what the call needs (403 without); answer: of whoever may."""

    sees: str
    needs: str
    row: str
    answer: tuple[int, str] = (200, "")
    body: dict[str, Any] | None = None


ROUTES = {
    "GET /api/v1/events/{event}": Route("event.view", "event.view", "events.event:publish"),
    "POST /api/v1/events/{event_id}/publish": Route("event.view", "event.manage", "events.event:publish"),
    "GET /api/v1/events/{event_id}/registrations": Route("registration.view", "registration.view", "events.event"),
    "GET /api/v1/registrations/{registration_id}": Route("registration.view", "registration.view", "registrations.registration"),
    "GET /api/v1/registrations/{registration_id}/receipt": Route("registration.view", "registration.view", "registrations.registration"),
    "GET /api/v1/registrations/{registration_id}/documents/{document_id}": Route(
        "registration.view", "registration.view", "registrations.registration"
    ),
    "POST /api/v1/registrations/{registration_id}/cancel": Route(
        "registration.view", "registration.manage", "registrations.registration:cancel"
    ),
    "POST /api/v1/registrations/{registration_id}/checkout": Route(
        "registration.view", "registration.view", "registrations.registration:cancel", (409, "NOTHING_TO_PAY")
    ),
    "POST /api/v1/registrations/{registration_id}/refund": Route(
        "registration.view", "payment.refund", "registrations.registration", (202, ""), {"amount": 1000}
    ),
    "GET /api/v1/organizations/{organization_id}/members": Route("organization.view", "member.view", "organizations.organization"),
    "PATCH /api/v1/organizations/{organization_id}/members/{membership_id}": Route(
        "member.view", "member.manage", "organizations.membership:change_role", body={"role": "course_manager"}
    ),
    "DELETE /api/v1/organizations/{organization_id}/members/{membership_id}": Route(
        "member.view", "instructor.manage", "organizations.membership:remove"
    ),
    "GET /api/v1/organizations/{organization_id}/invitations": Route("organization.view", "invitation.view", "organizations.organization"),
    "POST /api/v1/organizations/{organization_id}/invitations": Route(
        "organization.view", "instructor.manage", "organizations.organization", (201, ""), _NEW
    ),
    "POST /api/v1/organizations/{organization_id}/invitations/{invitation_id}/resend": Route(
        "invitation.view", "instructor.manage", "organizations.invitation"
    ),
    "DELETE /api/v1/organizations/{organization_id}/invitations/{invitation_id}": Route(
        "invitation.view", "instructor.manage", "organizations.invitation"
    ),
    "GET /api/v1/organizations/{organization_id}/balance": Route("organization.view", "payout.view", "organizations.organization"),
    "GET /api/v1/organizations/{organization_id}/payouts": Route("organization.view", "payout.view", "organizations.organization"),
    "POST /api/v1/organizations/{organization_id}/payouts": Route(
        "organization.view", "payout.request", "organizations.organization", (201, ""), {"currency": "USD", "amount": 2000}
    ),
    "GET /api/v1/payouts/{payout_id}": Route("payout.view", "payout.view", "billing.payoutrequest"),
    "GET /api/v1/payouts/{payout_id}/statement": Route("payout.view", "payout.view", "billing.payoutrequest"),
}
# Public, or about nothing but what is one's own: no permission decides there.
WITHOUT_PERMISSION = {
    "GET /api/v1/public/organizations",
    "GET /api/v1/public/organizations/{organization}",
    "POST /api/v1/organizations",
    "GET /api/v1/invitations/{token}",
    "POST /api/v1/invitations/{token}",
    "GET /api/v1/events",
    "POST /api/v1/events/{event_id}/quote",
    "POST /api/v1/events/{event_id}/registrations",
    "GET /api/v1/me",
    "PATCH /api/v1/me",
    "GET /api/v1/me/registrations",
    "GET /api/v1/me/registrations/{registration_id}",
    "POST /api/v1/me/registrations/{registration_id}/cancel",
    "POST /api/v1/me/registrations/{registration_id}/checkout",
    "GET /api/v1/me/sessions",
    "DELETE /api/v1/me/sessions",
    "DELETE /api/v1/me/sessions/{session_id}",
}
# No screen, button or route asks for these: a run is started by a form above its list.
WITHOUT_SURFACE = {"reconciliation.run"}


def driven() -> set[str]:
    """Every permission that something above drives."""
    forms, presses, routes = FORMS.values(), BUTTONS.values(), ROUTES.values()
    return {
        *SCREENS.values(),
        *(each.permission for each in (*forms, *presses)),
        *BULK.values(),
        *EXPORTS.values(),
        *(each.needs for each in routes),
    }
