"""Organizations: their profile, their people, their events."""

from typing import Any
from uuid import UUID

from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html

from admin_ext.billing.subscriptions import START_TRIAL
from admin_ext.console import columns, filters
from admin_ext.console.base import ConsoleModelAdmin
from admin_ext.console.buttons import group, operation_button
from admin_ext.console.panels import Panel
from admin_ext.console.scope import visible
from admin_ext.console.urls import list_url
from admin_ext.organizations import branding_dialogs, closing_dialogs, invitation_dialogs, member_files, staff_dialogs
from admin_ext.promo_codes import code_bulk
from billing import connect, refunds
from core.errors import NotFound
from core.money import Money
from events.models import Event
from organizations import admin_grants, branding, closing, exports, invitations, staff_acting
from organizations.models import Invitation, Membership, Organization
from organizations.permissions import Permission


class OrganizationAdmin(ConsoleModelAdmin):
    view_permission = Permission.ORGANIZATION_VIEW
    edit_permission = Permission.ORGANIZATION_EDIT
    edit_fields = ("name", "description", "website", "brand_color", "is_public", "country", "legal_name", "address", "tax_id")
    list_display = ["name", "kind", "country", "is_active", "organizer_scope", "created"]
    list_filter = [("kind", filters.Choice), ("is_public", filters.YesNo), filters.Admins, ("created_at", filters.MomentRange)]
    organizer_hides = ("admins",)
    search_fields = ["name", "slug"]
    empty_sentence = "Organizations appear here when they are created."
    number, created = columns.number(), columns.moment("created_at", "Created", sortable=True)
    fieldsets = [
        (None, {"fields": ["name", "description", "website", "country"]}),
        ("In public", {"fields": ["is_public", "public_page", "logo_shown", "brand_color"]}),
        ("On receipts and credit notes", {"fields": ["legal_name", "address", "tax_id"]}),
        ("Settings", {"fields": ["number", "slug", "kind", "is_active", "organizer_scope", "created"]}),
        ("Money", {"fields": ["payout_hold_days", "refund_fee_policy", "approval_limits"]}),
    ]

    actions_detail = [
        group("People", "invite", "invite_file", "grant_admin"),
        group("Profile", "set_logo", "remove_logo"),
        group("Money", "start_trial", "set_up_payouts", "import_codes"),
        group("More", "act_for", "export", "close"),
    ]
    start_trial, import_codes = START_TRIAL, code_bulk.IMPORT
    grant_admin = operation_button(
        admin_grants.grant,
        name="grant_admin",
        id_argument="organization_id",
        label="Make somebody an admin…",
        done="Done; everybody who works for the organization is told.",
        permission=Permission.ADMIN_GRANT,
        shows=lambda organization: organization.is_active,
        form_class=staff_dialogs.GrantAdminDialog,
        gone="This organization is closed; nobody can become its admin.",
        submit="Make admin",
        danger=True,
    )
    act_for = operation_button(
        staff_acting.begin,
        name="act_for",
        id_argument="organization_id",
        label="Act in its place…",
        done="Open the organizer console: until the time is over it shows this organization, and keeps every request.",
        permission=Permission.ORGANIZATION_ACT,
        shows=lambda organization: organization.is_active,
        form_class=staff_dialogs.ActDialog,
        gone="This organization is closed; nobody acts for it any more.",
        submit="Begin",
        opens=lambda grant: grant,
    )
    set_logo = operation_button(
        branding.set_logo,
        name="set_logo",
        id_argument="organization_id",
        label="Logo…",
        done="The logo is set.",
        permission=Permission.ORGANIZATION_EDIT,
        shows=lambda organization: organization.is_active,
        form_class=branding_dialogs.LogoDialog,
        gone="This organization is closed; nothing of it can be changed any more.",
        submit="Set logo",
    )
    remove_logo = operation_button(
        branding.remove_logo,
        name="remove_logo",
        id_argument="organization_id",
        label="Remove logo…",
        done="The logo is removed.",
        permission=Permission.ORGANIZATION_EDIT,
        shows=lambda organization: bool(organization.logo) and organization.is_active,
        explain="The public profile shows no picture any more.",
        gone="The organization has no logo.",
        submit="Remove logo",
        danger=True,
    )
    invite = operation_button(
        invitations.invite,
        name="invite",
        id_argument="organization_id",
        label="Invite…",
        done="Invited; the mail is on its way.",
        permission=Permission.INSTRUCTOR_MANAGE,
        shows=lambda organization: organization.is_active,
        form_class=invitation_dialogs.InviteDialog,
        gone="This organization is closed; nobody can join it any more.",
        submit="Send invitation",
        opens=lambda invitation: invitation,
    )
    invite_file = operation_button(
        member_files.begin,
        name="invite_file",
        id_argument="organization_id",
        label="Invite by file…",
        done="The file was read; look at the preview, then confirm it. Nobody has been invited yet.",
        permission=Permission.MEMBER_MANAGE,
        shows=lambda organization: organization.is_active,
        form_class=invitation_dialogs.InviteFileDialog,
        gone="This organization is closed; nobody can join it any more.",
        submit="Read the file",
        opens=lambda run: run,
    )
    set_up_payouts = operation_button(
        connect.begin,
        name="set_up_payouts",
        id_argument="organization_id",
        label="Set up payouts…",
        done="Opened; go on with the set-up on the page of its payout account.",
        permission=Permission.CONNECT_MANAGE,
        shows=lambda organization: not hasattr(organization, "connected_account"),
        explain="The organization gets an account at Stripe in its country, from which it is paid out. Stripe asks it for its papers.",
        gone="It has a payout account already.",
        submit="Set up payouts",
    )

    def approval_limits(self, obj: Organization) -> str:
        """What may be refunded without a second person: the organization's own amounts, the platform's for other currencies."""
        limits = refunds.approval_limits(obj)
        own = [str(Money(limits[currency], currency)) for currency in sorted(obj.refund_approval_limits)]
        others = [str(Money(limits[currency], currency)) for currency in sorted(limits.keys() - obj.refund_approval_limits.keys())]
        words = [*([", ".join(own)] if own else []), *([f"the platform's: {', '.join(others)}"] if others else [])]
        return "; ".join(words) or "Every refund waits for a second person"

    approval_limits.short_description = "Refunds without a second person up to"  # type: ignore[attr-defined]
    export = operation_button(
        exports.request,
        name="export",
        id_argument="organization_id",
        label="Export everything…",
        done="The export is being made; whoever asked for it gets a link by mail, after the end the admins that there were.",
        permission=Permission.ORGANIZATION_CLOSE,
        shows=lambda organization: organization.is_active or exports.last_that_failed(organization) is not None,
        explain="One file with tables of events, registrations, payments, refunds, payouts and members. The link works for thirty days.",
        gone="This organization is closed; its export was mailed to its admins.",
        submit="Make the export",
    )
    close = operation_button(
        closing.close,
        name="close",
        id_argument="organization_id",
        label="Close the organization…",
        done="Closed; the export is on its way to its admins.",
        permission=Permission.ORGANIZATION_CLOSE,
        shows=lambda organization: organization.is_active,
        form_class=closing_dialogs.CloseDialog,
        gone="This organization is closed already.",
        submit="Close for good",
        afterwards="/organizations",
        danger=True,
    )

    def get_custom_urls(self) -> tuple[tuple[str, str, Any], ...]:
        return (("<str:object_id>/logo.png", "organizations_organization_logo", self.logo_view),)

    def logo_view(self, request: HttpRequest, model_admin: Any, object_id: str) -> HttpResponse:
        """Its people see the logo before the public does."""
        organization = self.get_object(request, object_id)
        if organization is None or not self.has_view_permission(request, organization):
            raise Http404
        headers = {"Cache-Control": "private, no-cache"}
        try:
            return HttpResponse(branding.logo(organization), content_type="image/png", headers=headers)
        except NotFound as error:
            raise Http404 from error

    def logo_shown(self, obj: Any) -> Any:
        if not obj.logo:
            return "None"
        address = reverse("admin:organizations_organization_logo", args=[obj.public_id], current_app=self.admin_site.name)
        return format_html('<img src="{}" alt="The logo as it is now" width="64">', address)

    logo_shown.short_description = "Logo"  # type: ignore[attr-defined]

    def public_page(self, obj: Any) -> Any:
        if not (obj.is_public and obj.is_active):
            return "Not public"
        return columns.as_anchor(reverse("web:organizer", args=[obj.slug]), "See it as everybody does")

    public_page.short_description = "Profile"  # type: ignore[attr-defined]

    def owner_of(self, obj: Model) -> tuple[UUID | None, UUID | None]:
        return obj.pk, None

    def panels(self, request: HttpRequest, obj: Any) -> list[Panel]:
        actor, site = self.actor(request), self.admin_site.name
        members = visible(Membership, actor).filter(organization=obj, ended_at=None).select_related("user").order_by("user__email")[:20]
        events = visible(Event, actor).filter(organization=obj).order_by("-starts_at")[:10]
        query = f"organization__id__exact={obj.pk}"
        return [
            Panel(
                "Members",
                ["Person", "Email", "Role"],
                [[columns.as_link(site, member, str(member.user)), member.user.email, member.get_role_display()] for member in members],
                "Nobody works for this organization.",
                list_url(site, Membership, query),
            ),
            self._invited(request, obj),
            Panel(
                "Events",
                ["Event", "State", "Starts"],
                [
                    [columns.as_link(site, event), columns.as_state(event.state), columns.as_moment(event.starts_at, event.time_zone)]
                    for event in events
                ],
                "No events yet.",
                list_url(site, Event, query),
            ),
        ]

    def _invited(self, request: HttpRequest, obj: Any) -> Panel:
        site = self.admin_site.name
        pending = visible(Invitation, self.actor(request)).filter(organization=obj, state=Invitation.State.PENDING).order_by("-pk")[:20]
        return Panel(
            "Open invitations",
            ["Email", "Role", "Until"],
            [[columns.as_link(site, one), one.get_role_display(), columns.as_moment(one.expires_at)] for one in pending],
            "Nobody is invited at the moment.",
            list_url(site, Invitation, f"organization__id__exact={obj.pk}"),
        )
