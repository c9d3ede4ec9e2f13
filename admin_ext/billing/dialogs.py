"""What finance types when money goes back."""

from typing import Any

from django import forms
from django.utils import timezone
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget, UnfoldBooleanSwitchWidget

from admin_ext.console.dialogs import Dialog
from billing import refund_entries, refund_terms, refunds
from billing.models import Payment, Refund
from core.money import Money, parse_major
from ledger.chart import CHART


class RefundDialog(Dialog):
    """amount in major units; empty takes what the frozen terms give."""

    amount = forms.CharField(
        label="Amount",
        max_length=30,
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )
    reason = forms.ChoiceField(label="Reason", choices=Refund.Reason.choices, widget=UnfoldAdminSelectWidget)
    note = forms.CharField(
        label="Note",
        max_length=2000,
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        help_text="Kept with the refund; the attendee does not see it.",
    )
    releases_place = forms.BooleanField(
        label="Give the place back",
        required=False,
        widget=UnfoldBooleanSwitchWidget,
        help_text="A full refund then cancels the registration and frees the seat.",
    )

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.offer = refunds.offer(self.obj, at=timezone.now())
        self.preview_url = f"{self.request.path.rstrip('/').rpartition('/')[0]}/refund-preview/"
        field = self.fields["amount"]
        field.label = f"Amount ({self.obj.currency})"
        if self.offer.by_terms.amount:
            field.help_text = f"At most {self.offer.refundable}. Left empty: {self.offer.by_terms}, what the terms give."
        else:
            field.help_text = f"At most {self.offer.refundable}. The terms give nothing back any more, so name an amount."

    def facts(self) -> list[tuple[str, Any]]:
        payment: Payment = self.obj
        return [
            ("Can be refunded", str(self.offer.refundable)),
            ("The terms give now", f"{self.offer.by_terms} ({self.offer.percent} %)"),
            ("Terms at purchase", refund_terms.sentence(payment.refund_terms)),
            ("Second person needed", f"above {self.offer.limit}" if self.offer.limit.amount else "always"),
        ]

    def clean_amount(self) -> int | None:
        text = self.cleaned_data["amount"].strip()
        if not text:
            return None
        try:
            amount = parse_major(text, self.obj.currency)
        except ValueError:
            example = Money(self.offer.refundable.amount, self.obj.currency)
            raise forms.ValidationError(f"Write the amount as a number that {self.obj.currency} has, such as {example.major}.") from None
        if amount <= 0:
            raise forms.ValidationError("Write an amount above zero.")
        if amount > self.offer.refundable.amount:
            raise forms.ValidationError(f"Only {self.offer.refundable} of this payment can still be refunded.")
        return amount

    def preview(self) -> list[tuple[str, Money]]:
        """Who gives back how much of the amount that is typed; nothing where it is no amount yet."""
        if not self.is_valid():
            return []
        amount = self.cleaned_data["amount"] or self.offer.by_terms.amount
        entries = refund_entries.preview(self.obj, amount) if amount else []
        return [(CHART[entry.account.code].meaning, Money(entry.amount, self.obj.currency)) for entry in entries]

    @property
    def waits(self) -> bool:
        """Whether the amount that is typed would wait for a second person."""
        amount = self.cleaned_data.get("amount") or self.offer.by_terms.amount
        return bool(amount > self.offer.limit.amount)

    def values(self) -> dict[str, Any]:
        return {**self.cleaned_data, "source": Refund.Source.CONSOLE, "request_token": f"dialog-{self.token}"}
