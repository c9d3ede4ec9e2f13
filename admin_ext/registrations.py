"""Registrations: who has a place, and what was paid for it."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpRequest

from admin_ext import bulk_kinds
from admin_ext.console import columns, filters
from admin_ext.console.base import ConsoleModelAdmin
from admin_ext.console.bulk import bulk_action
from organizations.permissions import Permission


class RegistrationAdmin(ConsoleModelAdmin):
    view_permission = Permission.REGISTRATION_VIEW
    list_display = ["name", "email", "state_badge", "event_link", "payment_state", "paid", "created"]
    list_filter = [("state", filters.States), ("event", filters.RelatedFilter), ("created_at", filters.MomentRange)]
    autocomplete_filters = ("event",)
    lookups = ("payment",)
    list_select_related = ["event", "payment"]
    actions = [bulk_action(bulk_kinds.REFUND_REGISTRATIONS)]
    search_fields = ["email", "name", "event__title"]
    search_help_text = "Email, name, event, or an id: reg_…"
    palette_fields = ("email",)
    empty_sentence = "Registrations appear here as soon as somebody takes a place."
    shown_id, state_badge = columns.number("Registration"), columns.state()
    event_link, payment_link = columns.link("event", "Event"), columns.link("payment", "Payment")
    user_link = columns.link("user", "Account")
    payment_state = columns.state("payment.state", "Payment")
    paid = columns.money("payment.amount_captured", "Paid", currency="payment.currency", zero=False)
    created = columns.moment("created_at", "Registered", zone="event.time_zone", sortable=True)
    confirmed = columns.moment("confirmed_at", "Confirmed", zone="event.time_zone")
    cancelled = columns.moment("cancelled_at", "Cancelled", zone="event.time_zone")
    held = columns.moment("hold_expires_at", "Place held until", zone="event.time_zone")
    fieldsets = [
        (None, {"fields": ["state_badge", "name", "email", "user_link", "event_link", "payment_link"]}),
        ("When", {"fields": ["created", "held", "confirmed", "cancelled", "cancel_reason"]}),
        ("Record", {"fields": ["shown_id"]}),
    ]

    def owner_of(self, obj: Any) -> tuple[UUID | None, UUID | None]:
        return obj.event.organization_id, obj.event.host_id

    def detail_rows(self, request: HttpRequest) -> QuerySet[Any]:
        return self.get_queryset(request).select_related("event", "payment", "user")
