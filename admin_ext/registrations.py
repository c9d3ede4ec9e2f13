"""Registrations: who has a place, and what was paid for it."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from admin_ext import bulk_kinds
from admin_ext.attendance import bulk, panels
from admin_ext.attendance.dialogs import DecideDialog, MarkDialog, WithdrawDialog
from admin_ext.billing.dialogs import RefundDialog
from admin_ext.console import columns, export, filters
from admin_ext.console.base import ConsoleModelAdmin
from admin_ext.console.bulk import bulk_action
from admin_ext.console.buttons import operation_button
from admin_ext.console.dialogs import Dialog
from admin_ext.console.panels import Panel
from billing import refunds
from billing.models import Dispute, Document, Payment, Refund
from organizations.permissions import Permission
from registrations import attendance, cancellation
from registrations.models import Registration


class CancelDialog(Dialog):
    """What happens to the money is said before the place is taken away."""

    def explain(self) -> list[str]:
        back = cancellation.given_back(registration=self.obj, at=timezone.now(), by=self.actor)
        if back is None:
            return ["The seat is free again, and the attendee gets a mail. Nothing was paid."]
        if back.amount == 0:
            return ["The seat is free again, and the attendee gets a mail. Nothing is left to refund."]
        return [f"The seat is free again, the attendee gets a mail, and {back} goes back: all that is left of the payment."]


class PlaceRefundDialog(RefundDialog):
    """The refund dialog of the place's payment."""

    def __init__(self, *, obj: Any, **given: Any) -> None:
        self.place = obj
        super().__init__(obj=obj.payment, **given)
        del self.fields["releases_place"]
        self.preview_url = ""

    def explain(self) -> list[str]:
        return ["A refund in full gives the place back once the money has gone; a part leaves the place as it is."]

    def values(self) -> dict[str, Any]:
        return {name: value for name, value in super().values().items() if name != "source"}


class RegistrationAdmin(ConsoleModelAdmin):
    view_permission = Permission.REGISTRATION_VIEW
    list_display = ["name", "email", "state_badge", "event_link", "payment_state", "paid", "created"]
    list_filter = [("state", filters.States), ("event", filters.RelatedFilter), ("created_at", filters.MomentRange)]
    autocomplete_filters = ("event",)
    lookups = ("payment",)
    list_select_related = ["event", "payment"]
    actions = [bulk_action(bulk_kinds.REFUND_REGISTRATIONS), bulk_action(bulk.MARK_PRESENT), bulk_action(bulk.MARK_ABSENT)]
    search_fields = ["email", "name", "event__title"]
    search_help_text = "Email, name, event, or an id: reg_…"
    palette_fields = ("email",)
    export_fields = (
        export.text("state", "State"),
        export.text("name", "Name"),
        export.text("email", "Email"),
        export.text("event__title", "Event"),
        export.moment("event__starts_at", "Event starts"),
        export.text("payment__currency", "Currency"),
        export.money("payment__amount_captured", "Paid", currency="payment__currency"),
        export.moment("created_at", "Registered"),
        export.moment("confirmed_at", "Confirmed"),
        export.moment("cancelled_at", "Cancelled"),
    )
    empty_sentence = "Registrations appear here as soon as somebody takes a place."
    shown_id, state_badge = columns.number("Registration"), columns.state()
    event_link, payment_link = columns.link("event", "Event"), columns.link("payment", "Payment")
    user_link, redemption_link = columns.link("user", "Account"), columns.link("redemption", "Promo code", shown="code.code")
    payment_state = columns.state("payment.state", "Payment")
    paid = columns.money("payment.amount_captured", "Paid", currency="payment.currency", zero=False)
    created = columns.moment("created_at", "Registered", zone="event.time_zone", sortable=True)
    confirmed = columns.moment("confirmed_at", "Confirmed", zone="event.time_zone")
    cancelled = columns.moment("cancelled_at", "Cancelled", zone="event.time_zone")
    held = columns.moment("hold_expires_at", "Place held until", zone="event.time_zone")
    fieldsets = [
        (None, {"fields": ["state_badge", "name", "email", "user_link", "event_link", "payment_link", "redemption_link"]}),
        ("When", {"fields": ["created", "held", "confirmed", "cancelled", "cancel_reason"]}),
        ("Record", {"fields": ["shown_id"]}),
    ]

    actions_detail = ["cancel", "refund", "mark_attendance", "decide_attendance", "withdraw_decision"]
    cancel = operation_button(
        cancellation.cancel,
        name="cancel",
        id_argument="registration_id",
        label="Cancel place…",
        done="Cancelled; the place is free again.",
        permission=Permission.REGISTRATION_MANAGE,
        transition="cancel",
        form_class=CancelDialog,
        gone="This registration is cancelled already.",
        submit="Cancel the place",
        danger=True,
    )
    refund = operation_button(
        cancellation.refund,
        name="refund",
        id_argument="registration_id",
        label="Refund…",
        done="Refund requested; Stripe confirms it shortly.",
        permission=Permission.PAYMENT_REFUND,
        shows=lambda place: place.payment is not None and place.payment.is_captured and refunds.refundable(place.payment).amount > 0,
        form_class=PlaceRefundDialog,
        gone="Nothing of it can be refunded: it is unpaid, disputed, or refunded in full.",
        submit="Request refund",
    )

    mark_attendance = operation_button(
        attendance.mark,
        name="mark_attendance",
        id_argument="registration_id",
        label="Mark attendance…",
        done="Marked.",
        permission=Permission.ATTENDANCE_MANAGE,
        shows=lambda place: place.state == Registration.State.CONFIRMED,
        form_class=MarkDialog,
        gone="This registration is not confirmed; there is no attendance of it.",
        submit="Mark",
    )
    decide_attendance = operation_button(
        attendance.decide,
        name="decide_attendance",
        id_argument="registration_id",
        label="Grant or deny…",
        done="Decided.",
        permission=Permission.ATTENDANCE_MANAGE,
        shows=lambda place: place.state == Registration.State.CONFIRMED,
        form_class=DecideDialog,
        gone="This registration is not confirmed; there is no attendance of it.",
        submit="Decide",
    )
    withdraw_decision = operation_button(
        attendance.withdraw,
        name="withdraw_decision",
        id_argument="registration_id",
        label="Withdraw a decision…",
        done="Withdrawn; what was recorded counts again.",
        permission=Permission.ATTENDANCE_MANAGE,
        shows=lambda place: place.state == Registration.State.CONFIRMED and place.overrides.filter(withdrawn_at=None).exists(),
        form_class=WithdrawDialog,
        gone="Nothing is decided by hand for this registration.",
        submit="Withdraw",
    )

    def panels(self, request: HttpRequest, obj: Any) -> list[Panel]:
        return panels.of(obj, self.admin_site.name)

    def owner_of(self, obj: Any) -> tuple[UUID | None, UUID | None]:
        return obj.event.organization_id, obj.event.host_id

    def told_with(self, obj: Any) -> Sequence[QuerySet[Any]]:
        """Its payment's story is the attendee's: what was paid, given back or disputed."""
        if obj.payment_id is None:
            return ()
        return (
            Payment.objects.filter(pk=obj.payment_id),
            Refund.objects.filter(payment=obj.payment_id),
            Dispute.objects.filter(payment=obj.payment_id),
            Document.objects.filter(payment=obj.payment_id),
        )

    def detail_rows(self, request: HttpRequest) -> QuerySet[Any]:
        return self.get_queryset(request).select_related("event", "payment", "user", "redemption__code")
