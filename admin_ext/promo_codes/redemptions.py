"""The uses of promo codes, as a list and one by one. Nothing is changed here: a use follows its place."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpRequest

from admin_ext.console import columns, export, filters
from admin_ext.console.base import ConsoleModelAdmin
from organizations.permissions import Permission
from promo_codes.models import Redemption
from registrations.models import Registration


class RedemptionAdmin(ConsoleModelAdmin):
    view_permission = Permission.PROMO_CODE_VIEW
    list_display = ["email", "code_link", "state_badge", "took_off", "place_link", "created"]
    list_filter = [("state", filters.States), ("code", filters.RelatedFilter), ("created_at", filters.MomentRange)]
    autocomplete_filters = ("code",)
    list_select_related = ["code", "registration__event"]
    search_fields = ["=email", "code__code"]
    export_fields = (
        export.text("email", "Email"),
        export.text("code__code", "Code"),
        export.text("state", "State"),
        export.text("registration__event__title", "Event"),
        export.text("currency", "Currency"),
        export.money("price", "List price"),
        export.money("amount", "Took off"),
        export.moment("created_at", "Reserved"),
        export.moment("consumed_at", "Consumed"),
        export.moment("released_at", "Released"),
    )
    empty_sentence = "Uses appear here as soon as somebody takes a place with a promo code."
    shown_id, state_badge, code_link = columns.number("Use"), columns.state(), columns.link("code", "Promo code")
    place_link = columns.link("registration", "Place")
    list_price, took_off = columns.money("price", "List price"), columns.money("amount", "Took off")
    created = columns.moment("created_at", "Reserved", sortable=True)
    consumed, released = columns.moment("consumed_at", "Consumed"), columns.moment("released_at", "Released")
    fieldsets = [
        (None, {"fields": ["state_badge", "code_link", "email", "place_link", "list_price", "took_off"]}),
        ("When", {"fields": ["created", "consumed", "released"]}),
        ("Record", {"fields": ["shown_id"]}),
    ]

    def owner_of(self, obj: Any) -> tuple[UUID | None, UUID | None]:
        return obj.code.organization_id, obj.code.responsible_id

    def detail_rows(self, request: HttpRequest) -> QuerySet[Any]:
        return self.get_queryset(request).select_related("code", "registration__event")

    def told_with(self, obj: Redemption) -> Sequence[QuerySet[Any]]:
        return (Registration.objects.filter(redemption=obj),)
