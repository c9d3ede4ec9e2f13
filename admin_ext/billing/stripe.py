"""What goes to Stripe and what comes from it: Checkout sessions, calls, events."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.views.decorators.http import require_POST

from admin_ext import bulk_kinds
from admin_ext.billing import dry_runs
from admin_ext.console import columns, filters
from admin_ext.console.base import ConsoleModelAdmin
from admin_ext.console.bulk import bulk_action
from admin_ext.console.buttons import operation_button
from admin_ext.console.dialogs import Dialog
from admin_ext.console.panels import Panel
from admin_ext.console.scope import visible
from billing.models import InboundEvent, StripeCommand
from billing.webhooks import dry_run, processing, replay
from core.errors import DomainError
from organizations.permissions import Permission

REPLAYABLE = (InboundEvent.State.DEAD, InboundEvent.State.FAILED, InboundEvent.State.PROCESSED, InboundEvent.State.IGNORED)


class OfPayment(ConsoleModelAdmin):
    """Rows that belong to a payment and are seen by whoever sees it."""

    view_permission = Permission.PAYMENT_VIEW
    list_select_related = ["payment__organization"]
    organizer_hides = ("organization_link", "payment__organization")
    lookups = ("payment",)
    payment_link = columns.link("payment", "Payment", shown="email")
    organization_link = columns.link("payment.organization", "Organization")
    shown_id, created = columns.number(), columns.moment("created_at", "Created")

    def owner_of(self, obj: Any) -> tuple[UUID | None, UUID | None]:
        return obj.payment.organization_id, obj.payment.responsible_id

    def detail_rows(self, request: HttpRequest) -> QuerySet[Any]:
        return self.get_queryset(request).select_related("payment__organization")


class CheckoutSessionAdmin(OfPayment):
    list_display = ["shown_id", "state_badge", "payment_link", "number_shown", "stripe_session", "expires", "organization_link", "created"]
    list_filter = [("state", filters.States), ("payment__organization", filters.RelatedFilter), ("created_at", filters.MomentRange)]
    search_fields = ["payment__email", "=stripe_session_id"]
    search_help_text = "The payment's email, or an id: chk_…, cs_…"
    empty_sentence = "A Checkout session appears each time somebody goes to pay."
    state_badge, number_shown = columns.state(), columns.text("number", "Attempt")
    stripe_session, expires = columns.stripe("stripe_session_id", "Session at Stripe"), columns.moment("expires_at", "Expires")
    fieldsets = [(None, {"fields": ["state_badge", "payment_link", "number_shown", "stripe_session", "expires", "created", "shown_id"]})]


class StripeCommandAdmin(ConsoleModelAdmin):
    view_permission = Permission.LEDGER_VIEW
    list_display = ["shown_id", "state_badge", "operation", "key", "calls", "object_shown", "sent"]
    list_filter = [("state", filters.States), ("created_at", filters.MomentRange)]
    lookups = ("subject_id",)
    search_fields = ["=key", "=operation", "=stripe_object_id"]
    search_help_text = "A key, an operation, or an id: cmd_…, re_…"
    empty_sentence = "Every call that changes something at Stripe is stored here before it is made."
    shown_id, state_badge, object_shown = columns.number("Call"), columns.state(), columns.stripe("stripe_object_id", "Object at Stripe")
    sent, answered = columns.moment("sent_at", "Last sent"), columns.moment("answered_at", "Answered")
    created = columns.moment("created_at", "Stored")
    fieldsets = [
        (None, {"fields": ["state_badge", "operation", "key", "calls", "object_shown", "error"]}),
        ("What was sent", {"fields": ["parameters", "subject_type", "subject_id"]}),
        ("When", {"fields": ["created", "sent", "answered", "shown_id"]}),
    ]


class ReplayDialog(Dialog):
    """Shows what the replay would change, or in one sentence why there can be none."""

    preview_wait = "Asking Stripe, and trying what a replay would change…"

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.refusal = ""
        try:
            replay.guarded(self.obj)
        except DomainError as refusal:
            self.refusal, self.blocked = str(refusal), True
        else:
            self.preview_url = f"{self.request.path.rstrip('/').rpartition('/')[0]}/dry-run/"

    def explain(self) -> list[str]:
        return [self.refusal] if self.refusal else []


class InboundEventAdmin(ConsoleModelAdmin):
    view_permission = Permission.INBOX_VIEW
    list_display = ["shown_id", "state_badge", "type", "event_shown", "object_shown", "attempts", "repeats", "received"]
    list_filter = [("state", filters.States), ("endpoint", filters.Choice), filters.Parked, ("received_at", filters.MomentRange)]
    lookups = ("type", "object_id")
    actions = [bulk_action(bulk_kinds.REPLAY_EVENTS), bulk_action(bulk_kinds.DRY_RUN_EVENTS)]
    search_fields = ["=event_id", "=object_id", "=type"]
    search_help_text = "A type such as charge.refunded, or an id: inb_…, evt_…, re_…"
    palette_fields = ("event_id", "object_id")
    empty_sentence = "Signed events from Stripe appear here as they arrive."
    actions_detail = ["replay"]
    shown_id, state_badge = columns.number("Event"), columns.state()
    event_shown, object_shown = columns.stripe("event_id", "Event at Stripe"), columns.stripe("object_id", "About")
    happened, received = columns.moment("happened_at", "Happened"), columns.moment("received_at", "Received", sortable=True)
    processed, next_try = columns.moment("processed_at", "Worked"), columns.moment("run_after", "Next attempt")
    fieldsets = [
        (None, {"fields": ["state_badge", "type", "event_shown", "object_shown", "error_shown"]}),
        ("Delivery", {"fields": ["endpoint", "account", "version", "attempts", "repeats"]}),
        ("When", {"fields": ["happened", "received", "processed", "next_try", "shown_id"]}),
        ("Body", {"fields": ["body_shown"]}),
    ]
    replay = operation_button(
        replay.replay,
        name="replay",
        id_argument="event_id",
        label="Replay…",
        done="Queued again; its state shows how it went.",
        permission=Permission.INBOX_REPLAY,
        form_class=ReplayDialog,
        transition="replay",
        explain="The event is worked again from the beginning. Its handler reads Stripe anew, so what is done already stays as it is.",
        gone="This event is waiting or being worked on already.",
        submit="Replay",
    )

    def get_custom_urls(self) -> tuple[tuple[str, str, Any], ...]:
        return (("<str:object_id>/dry-run/", "billing_inboundevent_dry_run", require_POST(self.dry_run_view)),)

    def dry_run_view(self, request: HttpRequest, model_admin: Any, object_id: str) -> HttpResponse:
        """What a replay would change at this moment; nothing has changed afterwards. Raises Http404."""
        event, by = self.get_object(request, object_id), self.actor(request)
        if event is None or not self.allowed(request, Permission.INBOX_REPLAY, event):
            raise Http404
        try:
            run = dry_run.dry_run(event_id=event.pk, by=by)
        except DomainError as refusal:
            return TemplateResponse(request, "admin_ext/dry_run.html", {"refusal": str(refusal)})
        return TemplateResponse(request, "admin_ext/dry_run.html", {"told": dry_runs.told(run, site=self.admin_site.name, by=by)})

    def version(self, obj: InboundEvent) -> str:
        parked = f"; parked, since this release speaks {settings.STRIPE_API_VERSION}" if processing.is_parked(obj) else ""
        return f"{obj.api_version or 'none'}{parked}"

    version.short_description = "Stripe's version"  # type: ignore[attr-defined]

    def error_shown(self, obj: InboundEvent) -> Any:
        return columns.as_code(obj.error)

    error_shown.short_description = "Error"  # type: ignore[attr-defined]

    def body_shown(self, obj: InboundEvent) -> Any:
        return columns.as_json_text(obj.body)

    body_shown.short_description = "As it arrived"  # type: ignore[attr-defined]

    def panels(self, request: HttpRequest, obj: InboundEvent) -> list[Panel]:
        if not obj.object_id:
            return []
        commands = visible(StripeCommand, self.actor(request)).filter(stripe_object_id=obj.object_id).order_by("-pk")[:10]
        site = self.admin_site.name
        rows = [
            [columns.as_link(site, one, one.operation), columns.as_state(one.state), columns.as_moment(one.sent_at)] for one in commands
        ]
        return [Panel("Our calls about it", ["Call", "State", "Sent"], rows, "We made no call about this object.")]
