"""Who acts as admin: offers of the role, and the platform's people in the organization's place."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from admin_ext.console import columns, filters
from admin_ext.console.base import ConsoleModelAdmin
from admin_ext.console.buttons import operation_button
from organizations import admin_offers, staff_acting
from organizations.permissions import Permission


class AdminOfferAdmin(ConsoleModelAdmin):
    view_permission = Permission.ADMIN_VIEW
    list_display = ["person", "state_badge", "organization_link", "giver", "becomes", "created", "until", "ended"]
    list_filter = [("state", filters.States), ("organization", filters.RelatedFilter), ("created_at", filters.MomentRange)]
    autocomplete_filters = ("organization",)
    organizer_hides = ("organization_link", "organization")
    list_select_related = ["organization", "membership__user", "offered_by"]
    search_fields = ["membership__user__email", "membership__user__name"]
    empty_sentence = "Nobody has been offered the admin role. Offer it from the page of a member."
    actions_detail = ["withdraw"]
    number, state_badge = columns.number(), columns.state()
    person, giver = columns.text("membership.user", "Offered to"), columns.text("offered_by", "Offered by")
    organization_link = columns.link("organization", "Organization")
    created, until = columns.moment("created_at", "Offered", sortable=True), columns.moment("expires_at", "Until")
    ended = columns.moment("ended_at", "Ended")
    fieldsets = [
        (None, {"fields": ["person", "state_badge", "organization_link", "giver", "becomes"]}),
        ("When", {"fields": ["created", "until", "ended", "number"]}),
    ]
    withdraw = operation_button(
        admin_offers.withdraw,
        name="withdraw",
        id_argument="offer_id",
        label="Withdraw…",
        done="Withdrawn; the offer cannot be accepted any more.",
        permission=Permission.ADMIN_OFFER,
        transition="withdraw",
        shows=lambda offer: offer.is_open(at=timezone.now()),
        explain="The person keeps the role that they have.",
        gone="This offer is not open any more.",
        submit="Withdraw",
        danger=True,
    )

    def detail_rows(self, request: HttpRequest) -> QuerySet[Any]:
        return self.get_queryset(request).select_related("organization", "membership__user", "offered_by")


class ActingGrantAdmin(ConsoleModelAdmin):
    view_permission = Permission.ADMIN_VIEW
    list_display = ["person", "organization_link", "why", "began", "until", "ended"]
    list_filter = [("organization", filters.RelatedFilter), ("created_at", filters.MomentRange)]
    autocomplete_filters = ("organization",)
    organizer_hides = ("organization_link", "organization")
    list_select_related = ["organization", "user"]
    search_fields = ["user__email", "user__name"]
    empty_sentence = "Nobody of the platform has acted in an organization's place."
    actions_detail = ["end"]
    number, person = columns.number(), columns.text("user", "Who")
    organization_link, why = columns.link("organization", "Organization"), columns.text("reason", "Reason")
    began, until = columns.moment("created_at", "Began", sortable=True), columns.moment("expires_at", "Until")
    ended = columns.moment("ended_at", "Ended")
    fieldsets = [(None, {"fields": ["person", "organization_link", "why", "began", "until", "ended", "number"]})]
    end = operation_button(
        staff_acting.end,
        name="end",
        id_argument="grant_id",
        label="End…",
        done="It has ended.",
        permission=Permission.ORGANIZATION_ACT,
        shows=lambda grant: grant.is_open(at=timezone.now()),
        explain="From the next request on nothing can be done in the organization's place.",
        gone="This has ended already.",
        submit="End",
    )

    def detail_rows(self, request: HttpRequest) -> QuerySet[Any]:
        return self.get_queryset(request).select_related("organization", "user")
