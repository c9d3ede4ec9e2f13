"""Invitations: who was asked, what they answered; sending again and withdrawing, singly and many at once."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone

from admin_ext.console import columns, export, filters
from admin_ext.console.base import ConsoleModelAdmin
from admin_ext.console.bulk import bulk_action
from admin_ext.console.bulk_kinds import BulkKind, Plan, register
from admin_ext.console.buttons import operation_button
from admin_ext.console.urls import change_url
from admin_ext.models import BulkItem
from audit.actor import Actor
from organizations import invitation_files, invitations
from organizations.models import Invitation, Organization
from organizations.permissions import Permission, for_members_in, require


def _plan_resend(invitation: Invitation, values: dict[str, Any], by: Actor) -> Plan:
    require(by, for_members_in(invitation.role), invitation.organization_id)
    invitations.require_open(invitation, at=timezone.now())
    invitations.require_resendable(invitation, at=timezone.now())
    return Plan(f"Send a new link to {invitation.email}")


def _resend(item: BulkItem, values: dict[str, Any], by: Actor) -> str:
    invitations.resend(invitation_id=item.object_id, by=by)
    return "Sent again"


def _plan_revoke(invitation: Invitation, values: dict[str, Any], by: Actor) -> Plan:
    require(by, for_members_in(invitation.role), invitation.organization_id)
    invitations.require_open(invitation, at=timezone.now())
    return Plan(f"Withdraw; {invitation.email} is told")


def _revoke(item: BulkItem, values: dict[str, Any], by: Actor) -> str:
    invitations.revoke(invitation_id=item.object_id, by=by)
    return "Withdrawn"


RESEND = register(
    BulkKind(
        name="invitation.resend",
        label="Send again…",
        model=Invitation,
        permission=Permission.MEMBER_MANAGE,
        plan=_plan_resend,
        apply=_resend,
        undo="There is no undo: a mail that has gone out cannot be called back. An invitation can be revoked.",
    )
)
REVOKE = register(
    BulkKind(
        name="invitation.revoke",
        label="Revoke…",
        model=Invitation,
        permission=Permission.MEMBER_MANAGE,
        plan=_plan_revoke,
        apply=_revoke,
        undo="There is no undo; the same people can be invited anew.",
    )
)


def _is_open(invitation: Invitation) -> bool:
    return invitation.is_open(at=timezone.now())


class InvitationAdmin(ConsoleModelAdmin):
    view_permission = Permission.INVITATION_VIEW
    list_display = ["email", "role", "state_badge", "organization_link", "inviter", "sent", "until", "ended"]
    list_filter = [
        ("state", filters.States),
        ("role", filters.Choice),
        ("organization", filters.RelatedFilter),
        ("created_at", filters.MomentRange),
    ]
    autocomplete_filters = ("organization",)
    organizer_hides = ("organization_link", "organization")
    list_select_related = ["organization", "invited_by"]
    search_fields = ["email"]
    list_before_template = "admin_ext/invite_above.html"
    export_fields = (
        export.text("email", "Email"),
        export.text("role", "Role"),
        export.text("state", "State"),
        export.text("organization__name", "Organization", name="organization_link"),
        export.moment("sent_at", "Sent"),
        export.moment("expires_at", "Until"),
        export.moment("ended_at", "Ended"),
    )
    empty_sentence = "Nobody has been invited yet."
    actions = (bulk_action(RESEND), bulk_action(REVOKE))
    actions_detail = ["resend", "revoke"]
    number, state_badge = columns.number(), columns.state()
    organization_link, inviter = columns.link("organization", "Organization"), columns.text("invited_by", "Invited by")
    accepted_link = columns.link("accepted_by", "Accepted by")
    sent, until = columns.moment("sent_at", "Sent", sortable=True), columns.moment("expires_at", "Until")
    ended = columns.moment("ended_at", "Ended")
    fieldsets = [
        (
            None,
            {
                "fields": [
                    "email",
                    "role",
                    "state_badge",
                    "organization_link",
                    "inviter",
                    "sent",
                    "until",
                    "ended",
                    "accepted_link",
                    "number",
                ]
            },
        )
    ]
    resend = operation_button(
        invitations.resend,
        name="resend",
        id_argument="invitation_id",
        label="Send again…",
        done="Sent again; earlier links open nothing any more.",
        permission=Permission.INSTRUCTOR_MANAGE,
        shows=_is_open,
        explain="The person gets a new link for seven more days. The links of earlier mails open nothing from then on.",
        gone="This invitation is not open any more; invite the person anew.",
        submit="Send again",
    )
    revoke = operation_button(
        invitations.revoke,
        name="revoke",
        id_argument="invitation_id",
        label="Revoke…",
        done="Withdrawn; the person is told.",
        permission=Permission.INSTRUCTOR_MANAGE,
        transition="revoke",
        shows=_is_open,
        explain="The link opens nothing any more, the seat is free, and the person gets a mail that says so.",
        gone="This invitation is not open any more.",
        submit="Revoke",
        danger=True,
    )

    def get_custom_urls(self) -> tuple[tuple[str, str, Any], ...]:
        return (("sample.csv", "organizations_invitation_sample", self.sample_view),)

    def sample_view(self, request: HttpRequest, model_admin: Any) -> HttpResponse:
        headers = {"Content-Disposition": 'attachment; filename="people-to-invite.csv"'}
        return HttpResponse(invitation_files.SAMPLE, content_type="text/csv; charset=utf-8", headers=headers)

    def detail_rows(self, request: HttpRequest) -> QuerySet[Any]:
        return self.get_queryset(request).select_related("organization", "invited_by", "accepted_by")

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        answer: HttpResponse = super().changelist_view(request, {**invite_links(self, request), **(extra_context or {})})
        return answer


def invite_links(admin: ConsoleModelAdmin, request: HttpRequest) -> dict[str, Any]:
    """Where people of the console's organization are invited; nothing on the staff's, where the organization is chosen first."""
    organization_id = admin.actor(request).organization_id
    if organization_id is None:
        return {}
    site, organization = admin.admin_site.name, Organization(pk=organization_id)
    page = str(change_url(site, organization)).removesuffix("change/")
    may_invite = admin.allowed(request, Permission.INSTRUCTOR_MANAGE)
    return {
        "invite_url": f"{page}invite/" if may_invite else "",
        "invite_file_url": f"{page}invite-file/" if admin.allowed(request, Permission.MEMBER_MANAGE) else "",
        "invite_sample_url": reverse("admin:organizations_invitation_sample", current_app=site),
    }
