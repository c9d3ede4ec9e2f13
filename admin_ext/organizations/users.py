"""People, whatever they work for."""

from typing import Any

from django.http import HttpRequest

from admin_ext.console import columns, filters
from admin_ext.console.base import ConsoleModelAdmin
from admin_ext.console.panels import Panel
from admin_ext.console.scope import visible
from organizations.models import Membership
from organizations.permissions import Permission


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
