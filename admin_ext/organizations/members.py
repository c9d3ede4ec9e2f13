"""Members: who works for an organization, and as what; changing roles and removing, singly and many at once."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from admin_ext.console import columns, export, filters
from admin_ext.console.base import ConsoleModelAdmin
from admin_ext.console.bulk import bulk_action
from admin_ext.console.buttons import operation_button
from admin_ext.organizations import member_bulk
from admin_ext.organizations.invitations import invite_links
from admin_ext.organizations.member_dialogs import ChangeRoleDialog, RemoveDialog
from admin_ext.organizations.staff_dialogs import OfferAdminDialog
from organizations import admin_offers, members
from organizations.models import Membership, Role
from organizations.permissions import Permission


def _works_here(membership: Membership) -> bool:
    return membership.is_active


class MembershipAdmin(ConsoleModelAdmin):
    view_permission = Permission.MEMBER_VIEW
    list_display = ["person", "email", "organization_link", "role", "since", "ended"]
    list_filter = [("role", filters.Choice), ("organization", filters.RelatedFilter), ("created_at", filters.MomentRange)]
    autocomplete_filters = ("organization",)
    lookups = ("user",)
    organizer_hides = ("organization_link", "organization")
    list_select_related = ["user", "organization"]
    list_before_template = "admin_ext/invite_above.html"
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
    actions = (bulk_action(member_bulk.CHANGE_ROLES), bulk_action(member_bulk.REMOVE))
    actions_detail = ["change_role", "offer_admin", "remove"]
    number, email = columns.number(), columns.text("user.email", "Email")
    person, organization_link = columns.text("user", "Person"), columns.link("organization", "Organization")
    user_link = columns.link("user", "Person")
    since, ended = columns.moment("created_at", "Member since", sortable=True), columns.moment("ended_at", "Ended")
    fieldsets = [(None, {"fields": ["user_link", "email", "organization_link", "role", "since", "ended", "number"]})]
    change_role = operation_button(
        members.change_role,
        name="change_role",
        id_argument="membership_id",
        label="Change role…",
        done="Changed; the person is told.",
        permission=Permission.MEMBER_MANAGE,
        shows=_works_here,
        form_class=ChangeRoleDialog,
        gone="This person does not work for the organization any more.",
        submit="Change role",
    )
    offer_admin = operation_button(
        admin_offers.offer,
        name="offer_admin",
        id_argument="membership_id",
        label="Offer the admin role…",
        done="Offered; nothing changes before the person accepts.",
        permission=Permission.ADMIN_OFFER,
        shows=lambda membership: membership.is_active and membership.role != Role.ADMIN,
        form_class=OfferAdminDialog,
        gone="This person is an admin already, or does not work for the organization any more.",
        submit="Offer",
    )
    remove = operation_button(
        members.remove,
        name="remove",
        id_argument="membership_id",
        label="Remove…",
        done="Removed; nothing of the organization is open to this person any more.",
        permission=Permission.INSTRUCTOR_MANAGE,
        shows=_works_here,
        form_class=RemoveDialog,
        gone="This person does not work for the organization any more.",
        submit="Remove",
        leads_to=lambda membership: membership.organization,
        danger=True,
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request)
        return rows if self.on_staff_site else rows.filter(ended_at=None)

    def detail_rows(self, request: HttpRequest) -> QuerySet[Any]:
        return self.get_queryset(request).select_related("user", "organization")

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        answer: HttpResponse = super().changelist_view(request, {**invite_links(self, request), **(extra_context or {})})
        return answer
