"""Disputes: what is due when, the evidence for the bank, and what it all did to the balance."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.defaultfilters import filesizeformat
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_GET
from unfold.widgets import UnfoldAdminFileFieldWidget, UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from admin_ext.billing.stripe import OfPayment
from admin_ext.console import columns, filters
from admin_ext.console.buttons import operation_button
from admin_ext.console.dialogs import Dialog
from admin_ext.console.panels import Panel
from admin_ext.console.scope import visible
from admin_ext.console.urls import change_url
from billing import dispute_evidence, dispute_responses
from billing.dispute_evidence import LONGEST_TEXT, TEXTS, Upload
from billing.models import Dispute, DisputeFile, DisputeResponse, StripeCommand
from core.public_ids import decode
from organizations.permissions import Permission

_SHORT = ("customer_name", "customer_email_address", "customer_purchase_ip", "service_date", "duplicate_charge_id")


class EvidenceDialog(Dialog):
    """One field for each text that the bank reads, filled with what is known here."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        known = dispute_evidence.suggested(self.obj)
        for name, label in TEXTS.items():
            self.fields[name] = forms.CharField(
                label=label,
                required=False,
                max_length=LONGEST_TEXT,
                initial=known.get(name, ""),
                widget=UnfoldAdminTextareaWidget(attrs={"rows": 1 if name in _SHORT else 3}),
            )

    def facts(self) -> list[tuple[str, Any]]:
        return _facts(self.obj)


class AttachDialog(Dialog):
    kind = forms.ChoiceField(label="What it shows", choices=DisputeFile.Kind.choices, widget=UnfoldAdminSelectWidget)
    upload = forms.FileField(
        label="Document",
        widget=UnfoldAdminFileFieldWidget(attrs={"accept": ".pdf,.png,.jpg,.jpeg"}),
        help_text="PDF, PNG or JPEG; all of a dispute together may have 4.5 MB. It takes the place of an earlier one of its kind.",
    )

    def values(self) -> dict[str, Any]:
        found = self.cleaned_data["upload"]
        return {"kind": self.cleaned_data["kind"], "upload": Upload(found.name, found.read())}


class SubmitDialog(Dialog):
    def facts(self) -> list[tuple[str, Any]]:
        dispute: Dispute = self.obj
        written = [TEXTS[name] for name in TEXTS if name in dispute.evidence]
        files = [f"{file.get_kind_display()}: {file.name}" for file in dispute.files.order_by("pk")]
        return [*_facts(dispute), ("Written", ", ".join(written) or "nothing"), ("Attached", ", ".join(files) or "nothing")]


class AcceptDialog(Dialog):
    def facts(self) -> list[tuple[str, Any]]:
        borne = "the organization, with Stripe's fee" if self.obj.borne_by == "organizer" else "the platform"
        return [*_facts(self.obj), ("Borne by", borne)]


def _facts(dispute: Dispute) -> list[tuple[str, Any]]:
    due = columns.as_moment(dispute.due_by) if dispute.due_by else columns.EMPTY
    return [("Amount", str(dispute.money)), ("The bank says", dispute.reason.replace("_", " ")), ("Answer by", due)]


def _answerable(dispute: Dispute) -> bool:
    return dispute.status in Dispute.ANSWERABLE


class DisputeAdmin(OfPayment):
    list_display = ["shown_id", "due", "status_badge", "amount_shown", "payment_link", "reason", "organization_link", "created"]
    list_filter = [
        ("status", filters.States),
        filters.Currency,
        ("payment__organization", filters.RelatedFilter),
        ("due_by", filters.MomentRange),
        ("created_at", filters.MomentRange),
    ]
    search_fields = ["payment__email", "=stripe_dispute_id"]
    search_help_text = "The payment's email, or an id: dsp_…, du_…"
    empty_sentence = "No buyer disputes a payment. A dispute appears here as soon as Stripe says so."
    status_badge, amount_shown = columns.state("status", "Status"), columns.money("amount", "Amount")
    due, stripe_dispute = columns.moment("due_by", "Answer by", sortable=True), columns.stripe("stripe_dispute_id", "Dispute at Stripe")
    opened, closed = columns.moment("opened_at", "Opened at the bank"), columns.moment("closed_at", "Decided")
    fieldsets = [
        (None, {"fields": ["status_badge", "amount_shown", "reason", "due", "payment_link", "organization_link"]}),
        ("Record", {"fields": ["stripe_dispute", "borne_by", "opened", "closed", "created", "shown_id"]}),
    ]
    actions_detail = ["evidence", "attach", "submit", "accept", "retry"]

    evidence = operation_button(
        dispute_evidence.save,
        name="evidence",
        id_argument="dispute_id",
        label="Evidence…",
        done="Kept as a draft; nothing was sent yet.",
        permission=Permission.DISPUTE_ANSWER,
        shows=_answerable,
        form_class=EvidenceDialog,
        explain="What the bank reads. It is kept here until you submit it.",
        gone="This dispute takes no evidence any more.",
        submit="Keep draft",
    )
    attach = operation_button(
        dispute_evidence.attach,
        name="attach",
        id_argument="dispute_id",
        label="Attach a document…",
        done="Attached; nothing was sent yet.",
        permission=Permission.DISPUTE_ANSWER,
        shows=_answerable,
        form_class=AttachDialog,
        gone="This dispute takes no evidence any more.",
        submit="Attach",
    )
    submit = operation_button(
        dispute_responses.submit,
        name="submit",
        id_argument="dispute_id",
        label="Submit evidence…",
        done="On its way to Stripe, which passes it to the bank.",
        permission=Permission.DISPUTE_ANSWER,
        shows=lambda dispute: _answerable(dispute) and bool(dispute.evidence or dispute.files.exists()),
        form_class=SubmitDialog,
        explain="The bank gets everything below, once. Nothing can be added afterwards.",
        gone="This dispute takes no evidence any more.",
        submit="Submit evidence",
    )
    accept = operation_button(
        dispute_responses.accept,
        name="accept",
        id_argument="dispute_id",
        label="Accept…",
        done="Accepted; Stripe is told now.",
        permission=Permission.DISPUTE_ANSWER,
        shows=_answerable,
        form_class=AcceptDialog,
        explain="The dispute is lost at once and cannot be contested any more. Stripe keeps its fee.",
        gone="This dispute cannot be accepted any more.",
        submit="Accept the dispute",
        danger=True,
    )
    retry = operation_button(
        dispute_responses.retry,
        name="retry",
        id_argument="dispute_id",
        label="Send again…",
        done="On its way to Stripe again.",
        permission=Permission.DISPUTE_ANSWER,
        shows=lambda dispute: _answerable(dispute) and dispute.responses.failed_last(),
        explain="Stripe refused the last answer; this sends it once more under a new key.",
        gone="No answer has failed.",
        submit="Send again",
    )

    def title_of(self, obj: Dispute) -> str:
        return f"{obj} by {obj.payment.name or obj.payment.email}"

    def get_custom_urls(self) -> tuple[tuple[str, str, Any], ...]:
        return (("<str:object_id>/document/", "billing_dispute_document", require_GET(self.document_view)),)

    def document_view(self, request: HttpRequest, model_admin: Any, object_id: str) -> HttpResponse:
        """The document that ?file= names, for whoever may see the dispute. Raises Http404."""
        dispute = self.get_object(request, object_id)
        try:
            wanted = Q(pk=decode(DisputeFile.public_prefix, request.GET.get("file", "")))
        except ValueError:
            raise Http404 from None
        file = visible(DisputeFile, self.actor(request)).filter(wanted, dispute=dispute).first() if dispute is not None else None
        if file is None or not self.has_view_permission(request, dispute):
            raise Http404
        with file.stored.open("rb") as stored:  # 4.5 MB at most
            headers = {"Content-Disposition": content_disposition_header(True, file.name) or "", "X-Content-Type-Options": "nosniff"}
            return HttpResponse(stored.read(), content_type=file.content_type, headers=headers)

    def told_with(self, obj: Dispute) -> Sequence[QuerySet[Any]]:
        return (DisputeResponse.objects.filter(dispute=obj),)

    def panels(self, request: HttpRequest, obj: Dispute) -> list[Panel]:
        found = [_written(obj), self._documents(obj), _answers(obj), _movements(obj)]
        if self.on_staff_site:
            found.append(self._commands(request, obj))
        return found

    def _documents(self, obj: Dispute) -> Panel:
        page = (change_url(self.admin_site.name, obj) or "").removesuffix("change/")
        rows = [
            [
                columns.as_anchor(f"{page}document/?file={file.public_id}", file.name),
                file.get_kind_display(),
                filesizeformat(file.size),
                "yes" if file.stripe_file_id else "not yet",
                columns.as_moment(file.created_at),
            ]
            for file in obj.files.order_by("pk")
        ]
        return Panel("Documents", ["Document", "What it shows", "Size", "At Stripe", "Attached"], rows, "No document is attached.")

    def _commands(self, request: HttpRequest, obj: Dispute) -> Panel:
        keys = list(obj.responses.values_list("pk", flat=True)[:50])
        commands = visible(StripeCommand, self.actor(request)).filter(subject_id__in=keys).order_by("-pk")[:20]
        site = self.admin_site.name
        rows = [
            [columns.as_link(site, one, one.operation), columns.as_state(one.state), str(one.calls), columns.as_moment(one.sent_at)]
            for one in commands
        ]
        return Panel("Calls to Stripe", ["Call", "State", "Sent", "Last sent at"], rows, "Stripe was not called for this dispute.")


def _written(obj: Dispute) -> Panel:
    rows = [[label, obj.evidence[name]] for name, label in TEXTS.items() if name in obj.evidence]
    return Panel("Evidence", ["What", "Text"], rows, "Nothing is written yet.")


def _answers(obj: Dispute) -> Panel:
    rows = [
        [
            one.get_kind_display(),
            columns.as_state(one.state),
            str(one.requested_by or "–"),
            columns.as_moment(one.created_at),
            one.failure_reason,
        ]
        for one in DisputeResponse.objects.filter(dispute=obj).select_related("requested_by").order_by("-pk")[:20]
    ]
    return Panel("Answers", ["Answer", "State", "By", "Asked at", "Why it failed"], rows, "Nobody has answered it.")


def _movements(obj: Dispute) -> Panel:
    rows = [
        [
            columns.as_moment(one.happened_at),
            columns.as_money(one.amount, one.currency),
            columns.as_money(one.fee, one.currency),
            columns.as_stripe(one.stripe_balance_transaction_id),
        ]
        for one in obj.movements.order_by("happened_at", "id")
    ]
    return Panel("What it did to Stripe's balance", ["When", "Amount", "Fee", "Balance transaction"], rows, "No money has moved.")
