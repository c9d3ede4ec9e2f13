"""What people type about promo codes: percentages and amounts in one field, times in UTC, events by id or address."""

from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, ClassVar

from django import forms
from django.conf import settings
from unfold.widgets import UnfoldAdminFileFieldWidget, UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from admin_ext.console.dialogs import Dialog
from admin_ext.event_forms import LOCAL, LocalMoment
from core.errors import InvalidInput
from core.money import Money, parse_major
from events.models import Event
from promo_codes import code_files
from promo_codes.models import PromoCode


def _amount(label: str, help_text: str, *, required: bool = False) -> forms.CharField:
    widget = UnfoldAdminTextInputWidget(attrs={"inputmode": "decimal", "autocomplete": "off"})
    return forms.CharField(label=label, max_length=30, required=required, help_text=help_text, widget=widget)


class PromoCodeForm(forms.ModelForm):  # type: ignore[type-arg]
    """Amounts are in major units of the currency."""

    value = _amount("Takes off", "A percentage such as 20, or an amount such as 15.00.", required=True)
    currency = forms.ChoiceField(
        label="Currency",
        required=False,
        widget=UnfoldAdminSelectWidget,
        help_text="Needed where you give an amount; the code then works for prices in this currency alone.",
    )
    cap = _amount("At most", "The most that a percentage takes off. Left empty: no cap.")
    minimum = _amount("Least price", "The code works for prices from this on. Left empty: for every price.")
    starts_at = LocalMoment(label="Valid from (UTC)", required=False, help_text="Left empty: at once.")
    ends_at = LocalMoment(label="Valid until (UTC)", required=False, help_text="Left empty: without end.")
    events = forms.CharField(
        label="Events",
        required=False,
        max_length=6_000,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text="Ids (evt_…) or the last part of the events' addresses, one in each line. Left empty: all events of the organization.",
    )

    class Meta:
        model = PromoCode
        fields: tuple[str, ...] = ()
        labels: ClassVar[dict[str, str]] = {
            "max_uses": "Uses in total",
            "max_uses_per_person": "Uses per person",
            "first_time_only": "First visit only",
        }
        help_texts: ClassVar[dict[str, str]] = {
            "code": "What people type; capitals and small letters are the same.",
            "description": "For your own people; who uses the code does not see it.",
            "max_uses": "Left empty: no limit.",
            "max_uses_per_person": "Left empty: no limit. With one, people need an account with a confirmed address.",
            "first_time_only": "For people who never had a place with the organization; they need an account with a confirmed address.",
        }

    def __init__(self, *args: Any, **options: Any) -> None:
        code: PromoCode | None = options.get("instance")
        if code is not None:
            options["initial"] = {**_shown(code), **(options.get("initial") or {})}
        super().__init__(*args, **options)
        if "currency" in self.fields:
            choices = [("", "None"), *((one, one) for one in settings.SETTLEMENT_CURRENCIES)]
            known = {code.currency} - {one for one, _ in choices} if code is not None else set()
            currency: Any = self.fields["currency"]
            currency.choices = [*choices, *((one, one) for one in known)]

    def validate_constraints(self) -> None:
        """The operation checks the same, and says what to do."""

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or self.cleaned_data
        self.terms: dict[str, Any] = {}
        plain = ("code", "description", "kind", "currency", "max_uses", "max_uses_per_person", "first_time_only")
        self.terms |= {name: values[name] for name in plain if name in values}
        for name in ("starts_at", "ends_at"):
            if name in values:
                values[name] = self.terms[name] = values[name] and values[name].replace(tzinfo=UTC)
        if "events" in values:
            self.terms["subjects"] = _subjects(values["events"])
        if "value" in values and "kind" in values:
            self._read_value(values)
        for field, name in (("cap", "cap_amount"), ("minimum", "minimum_amount")):
            if field in values:
                self.terms[name] = self._money(field, values[field])
        return values

    def _read_value(self, values: dict[str, Any]) -> None:
        if values["kind"] == PromoCode.Kind.FIXED:
            self.terms |= {"basis_points": None, "amount": self._money("value", values["value"])}
            return
        try:
            points = Decimal(values["value"].removesuffix("%").strip()) * 100
        except InvalidOperation:
            points = Decimal(0)
        if not points.is_finite() or points != points.to_integral_value() or not 1 <= points <= 10_000:
            self.add_error("value", "Write the percentage as a number above 0 and up to 100, such as 12.5; at most two decimals.")
            return
        self.terms |= {"basis_points": int(points), "amount": None}

    def _money(self, field: str, text: str) -> int | None:
        currency = self.cleaned_data.get("currency", "")
        if not text:
            return None
        if not currency:
            self.add_error("currency", "Choose the currency of the amounts.")
            return None
        try:
            return parse_major(text, currency)
        except ValueError:
            self.add_error(field, f"Write the amount as a number that {currency} has, such as {Money(1500, currency).major}.")
            return None


def _shown(code: PromoCode) -> dict[str, Any]:
    """The code as somebody would type it."""

    def major(amount: int | None) -> str:
        return "" if amount is None else str(Money(amount, code.currency).major)

    return {
        "value": major(code.amount) if code.basis_points is None else f"{code.basis_points / 100:g}",
        "currency": code.currency,
        "cap": major(code.cap_amount),
        "minimum": major(code.minimum_amount),
        "starts_at": _clock(code.starts_at),
        "ends_at": _clock(code.ends_at),
        "events": "\n".join(code.subjects),
    }


def _clock(value: datetime | None) -> str | None:
    return value.astimezone(UTC).strftime(LOCAL) if value else None


def _subjects(text: str) -> list[str]:
    """Typed ids; what names no event stays as it is, and the operation refuses it."""
    words = text.replace(",", " ").split()
    known = {event.slug: event.public_id for event in Event.objects.filter(slug__in=[word[:120] for word in words]).only("pk", "slug")}
    return [known.get(word, word) for word in words]


_MORE = ", ".join(name for name in code_files.COLUMNS if name not in code_files.NEEDED)


class CodeFileDialog(Dialog):
    """The file is read and kept line by line; its page shows what would happen with each before anything does."""

    upload = forms.FileField(
        label="CSV file",
        widget=UnfoldAdminFileFieldWidget(attrs={"accept": ".csv,text/csv"}),
        help_text=f"Columns: code, kind (percent or fixed) and value; where you want them {_MORE}.",
    )

    def explain(self) -> list[str]:
        return [
            "One code in each line. A code that the organization has already is changed, any other is made.",
            f"At most {code_files.MOST_LINES:,} codes in a file. Nothing is made or changed before you have confirmed the preview.",
        ]

    def values(self) -> dict[str, Any]:
        found = self.cleaned_data["upload"]
        if found.size > code_files.LARGEST_FILE:
            raise InvalidInput(f"The file is larger than {code_files.LARGEST_FILE // 1024} KB; send it in parts.", field="upload")
        return {"content": found.read()}
