"""Organizations, their members, and people."""

from typing import Any
from uuid import UUID

from django.db.models import Model, QuerySet
from django.http import HttpRequest

from admin_ext.console import columns, export, filters
from admin_ext.console.base import ConsoleModelAdmin
from admin_ext.console.buttons import operation_button
from admin_ext.console.panels import Panel
from admin_ext.console.scope import visible
from admin_ext.console.urls import list_url
from billing import connect, refunds
from core.money import Money
from events.models import Event
from organizations.models import Membership, Organization
from organizations.permissions import Permission


class OrganizationAdmin(ConsoleModelAdmin):
    view_permission = Permission.ORGANIZATION_VIEW
    edit_permission = Permission.ORGANIZATION_EDIT
    edit_fields = ("name", "description", "country", "legal_name", "address", "tax_id")
    list_display = ["name", "kind", "country", "is_active", "organizer_scope", "created"]
    list_filter = [("kind", filters.Choice), ("created_at", filters.MomentRange)]
    search_fields = ["name", "slug"]
    empty_sentence = "Organizations appear here when they are created."
    number, created = columns.number(), columns.moment("created_at", "Created", sortable=True)
    fieldsets = [
        (None, {"fields": ["name", "description", "country"]}),
        ("On receipts and credit notes", {"fields": ["legal_name", "address", "tax_id"]}),
        ("Settings", {"fields": ["number", "slug", "kind", "is_active", "organizer_scope", "created"]}),
        ("Money", {"fields": ["payout_hold_days", "refund_fee_policy", "approval_limits"]}),
    ]

    actions_detail = ["set_up_payouts"]
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


class MembershipAdmin(ConsoleModelAdmin):
    view_permission = Permission.MEMBER_VIEW
    list_display = ["person", "email", "organization_link", "role", "since", "ended"]
    list_filter = [("role", filters.Choice), ("organization", filters.RelatedFilter), ("created_at", filters.MomentRange)]
    autocomplete_filters = ("organization",)
    lookups = ("user",)
    organizer_hides = ("organization_link", "organization")
    list_select_related = ["user", "organization"]
    search_fields = ["user__email", "user__name"]
    export_fields = (
        export.text("user__name", "Name"),
        export.text("user__email", "Email"),
        export.text("organization__name", "Organization", name="organization_link"),
        export.text("role", "Role"),
        export.moment("created_at", "Member since"),
        export.moment("ended_at", "Ended"),
    )
    empty_sentence = "Nobody works for this organization yet."
    number, email = columns.number(), columns.text("user.email", "Email")
    person, organization_link = columns.text("user", "Person"), columns.link("organization", "Organization")
    user_link = columns.link("user", "Person")
    since, ended = columns.moment("created_at", "Member since", sortable=True), columns.moment("ended_at", "Ended")
    fieldsets = [(None, {"fields": ["user_link", "email", "organization_link", "role", "since", "ended", "number"]})]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request)
        return rows if self.on_staff_site else rows.filter(ended_at=None)


class UserAdmin(ConsoleModelAdmin):
    view_permission = Permission.USER_VIEW
    list_display = ["email", "name", "groups_shown", "is_active", "last_seen", "created"]
    list_filter = [("is_active", filters.YesNo), ("created_at", filters.MomentRange)]
    search_fields = ["email", "name"]
    palette_fields = ("email",)
    empty_sentence = "People appear here when they sign up."
    number, created = columns.number(), columns.moment("created_at", "Signed up", sortable=True)
    last_seen = columns.moment("last_login", "Last sign-in")
    groups_shown = columns.joined("staff_groups", "Staff groups")
    fieldsets = [(None, {"fields": ["email", "name", "groups_shown", "time_zone", "is_active", "last_seen", "created", "number"]})]

    def panels(self, request: HttpRequest, obj: Any) -> list[Panel]:
        site = self.admin_site.name
        memberships = (
            visible(Membership, self.actor(request)).filter(user=obj).select_related("organization").order_by("organization__name")[:50]
        )
        rows = [
            [
                columns.as_link(site, one.organization),
                one.get_role_display(),
                columns.as_moment(one.created_at),
                columns.as_moment(one.ended_at),
            ]
            for one in memberships
        ]
        return [Panel("Memberships", ["Organization", "Role", "Since", "Ended"], rows, "Works for no organization.")]
