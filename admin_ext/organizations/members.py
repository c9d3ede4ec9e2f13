"""Members: who works for an organization, and as what."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest

from admin_ext.console import columns, export, filters
from admin_ext.console.base import ConsoleModelAdmin
from organizations.permissions import Permission


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
