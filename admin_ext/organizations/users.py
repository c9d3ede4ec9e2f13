"""People, whatever they work for."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html

from accounts import sign_in_locks
from accounts.models import User
from admin_ext import unlocking
from admin_ext.console import columns, filters
from admin_ext.console.base import ConsoleModelAdmin
from admin_ext.console.buttons import operation_button
from admin_ext.console.panels import Panel
from admin_ext.console.scope import visible
from admin_ext.organizations.staff_dialogs import UnlockDialog
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
    fieldsets = [
        (None, {"fields": ["email", "name", "groups_shown", "time_zone", "is_active", "locked", "last_seen", "created", "number"]})
    ]
    actions_detail = ["unlock"]
    unlock = operation_button(
        unlocking.unlock,
        name="unlock",
        id_argument="user_id",
        label="Lift the sign-in lock…",
        done="Lifted; the person can try again at once.",
        permission=Permission.USER_UNLOCK,
        shows=lambda user: sign_in_locks.locked_until(user) is not None,
        form_class=UnlockDialog,
        gone="This account is not locked.",
        submit="Lift the lock",
    )

    @admin.display(description="Sign-in lock")
    def locked(self, obj: User) -> Any:
        until = sign_in_locks.locked_until(obj)
        return format_html("Locked until {}, after too many failed sign-ins", columns.as_moment(until)) if until else "None"

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
