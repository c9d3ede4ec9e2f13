"""What people type about events: prices in major units, times as the clocks at the event show them."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from django import forms
from django.conf import settings
from django.utils import timezone
from unfold.widgets import (
    INPUT_CLASSES,
    UnfoldAdminEmailInputWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from admin_ext.console.dialogs import Dialog
from billing import refund_terms
from core.errors import InvalidInput
from core.money import Money, parse_major
from events import commitments, local_times, publishing
from events.models import Event, Session
from organizations.models import Membership

PLATFORM_TERMS, NO_REFUNDS, OWN_TERMS = "platform", "none", "own"
LOCAL = "%Y-%m-%dT%H:%M"


class LocalMoment(forms.DateTimeField):
    """A date and time without a zone; whoever reads it knows whose clock is meant."""

    def __init__(self, **options: Any) -> None:
        widget = forms.DateTimeInput(attrs={"type": "datetime-local", "class": " ".join(INPUT_CLASSES)}, format=LOCAL)
        super().__init__(widget=widget, input_formats=[LOCAL, "%Y-%m-%dT%H:%M:%S"], **options)

    def to_python(self, value: Any) -> datetime | None:
        found = super().to_python(value)
        return timezone.make_naive(found, timezone.get_current_timezone()) if found is not None and timezone.is_aware(found) else found


def read_at_the_event(form: Any, names: Iterable[str], zone: str) -> None:
    """Turn what was typed into the moments at which the event's clocks show it; an hour that they skip is the field's error."""
    for name in names:
        typed = form.cleaned_data.get(name)
        if typed is not None:
            try:
                form.cleaned_data[name] = local_times.moment(typed, zone, field=name)
            except InvalidInput as refusal:
                form.add_error(name, str(refusal))


def _refunds(terms: list[dict[str, int]] | None) -> str:
    return PLATFORM_TERMS if terms is None else OWN_TERMS if terms else NO_REFUNDS


def _refund_choices(event: Event | None) -> Iterator[tuple[str, str]]:
    """The event's own tiers can be kept where it has some; they are not written here."""
    yield PLATFORM_TERMS, f"The platform's terms: {refund_terms.sentence(refund_terms.DEFAULT_TERMS)}"
    yield NO_REFUNDS, refund_terms.sentence([])
    if event is not None and event.refund_terms:
        yield OWN_TERMS, refund_terms.sentence(event.refund_terms)


class EventForm(forms.ModelForm):  # type: ignore[type-arg]
    """price: major units of the currency. Moments are of the event's own time zone."""

    NOT_OF_THE_EVENT = ("price", "refunds", "host_email", "organization")
    TIMES = ("starts_at", "ends_at", "registration_opens_at", "registration_closes_at")
    starts_at = LocalMoment(label="Starts", help_text="As the clocks at the event show it.")
    ends_at = LocalMoment(label="Ends")
    registration_opens_at = LocalMoment(label="Registration opens", required=False, help_text="Left empty: as soon as it is published.")
    registration_closes_at = LocalMoment(label="Registration closes", required=False, help_text="Left empty: when the event starts.")
    price = forms.CharField(
        label="Price",
        max_length=30,
        initial="0",
        widget=UnfoldAdminTextInputWidget(attrs={"inputmode": "decimal"}),
        help_text="0 for a free event.",
    )
    host_email = forms.EmailField(
        label="Host's email", required=False, widget=UnfoldAdminEmailInputWidget, help_text="A member of the organization. Left empty: you."
    )

    refunds = forms.ChoiceField(required=False)

    class Meta:
        model = Event
        fields: tuple[str, ...] = ()

    def __init__(self, *args: Any, **options: Any) -> None:
        instance: Event | None = options.get("instance")
        if instance is not None:
            shown = {name: _local(getattr(instance, name), instance.time_zone) for name in self.TIMES}
            options["initial"] = {
                **shown,
                "price": str(instance.price.major),
                "refunds": _refunds(instance.refund_terms),
                **(options.get("initial") or {}),
            }
        super().__init__(*args, **options)
        if "refunds" in self.fields:
            self.fields["refunds"] = forms.ChoiceField(
                label="Refunds",
                choices=list(_refund_choices(instance)),
                widget=UnfoldAdminSelectWidget,
                required=False,
                help_text="Places that are sold already keep their terms.",
            )
        if "currency" in self.fields:
            choices = [(one, one) for one in settings.SETTLEMENT_CURRENCIES]
            self.fields["currency"] = forms.ChoiceField(label="Currency", choices=choices, widget=UnfoldAdminSelectWidget)

    def clean_time_zone(self) -> str:
        zone: str = self.cleaned_data["time_zone"]
        if not local_times.is_zone(zone):
            raise forms.ValidationError("Give the time zone by its IANA name, such as Europe/Berlin.")
        return zone

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or self.cleaned_data
        zone = values.get("time_zone")
        if zone:
            read_at_the_event(self, self.TIMES, zone)
        currency = values.get("currency")
        if currency and "price" in values:
            try:
                values["price_amount"] = parse_major(values["price"], currency)
            except ValueError:
                self.add_error("price", f"Write the price as a number that {currency} has, such as {Money(2500, currency).major}.")
        return values

    def changes(self) -> dict[str, Any]:
        """What was typed, in the names and units of the operation."""
        names = {name for name in self.changed_data if name not in self.NOT_OF_THE_EVENT}
        if "time_zone" in self.changed_data:
            names |= {name for name in self.TIMES if name in self.cleaned_data}  # the same clock time is another moment
        found = {name: self.cleaned_data[name] for name in names}
        if "refunds" in self.changed_data:
            found |= self.chosen_terms()
        if {"price", "currency"} & set(self.changed_data):
            found["price_amount"] = self.cleaned_data["price_amount"]
        return found

    def chosen_terms(self) -> dict[str, Any]:
        """Nothing where the event keeps its own tiers, or nothing was chosen."""
        chosen: dict[str, dict[str, Any]] = {PLATFORM_TERMS: {"refund_terms": None}, NO_REFUNDS: {"refund_terms": []}}
        return chosen.get(self.cleaned_data.get("refunds", ""), {})


def _local(value: datetime | None, zone: str) -> str | None:
    return local_times.in_zone(value, zone).strftime(LOCAL) if value else None


class SessionDialog(Dialog):
    title = forms.CharField(label="Title", max_length=200, widget=UnfoldAdminTextInputWidget)
    starts_at = LocalMoment(label="Starts")
    ends_at = LocalMoment(label="Ends")
    is_mandatory = forms.BooleanField(label="Needed for the certificate", required=False, initial=True, widget=UnfoldBooleanSwitchWidget)

    @property
    def event(self) -> Event:
        found: Event = self.obj
        return found

    def facts(self) -> list[tuple[str, Any]]:
        return [("The event", local_times.span(self.event.starts_at, self.event.ends_at, self.event.time_zone))]

    def clean(self) -> dict[str, Any]:
        super().clean()
        read_at_the_event(self, ("starts_at", "ends_at"), self.event.time_zone)
        return self.cleaned_data


class SessionEditDialog(SessionDialog):
    """The same for a session that is there already."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        session: Session = self.obj
        for name in ("title", "is_mandatory"):
            self.fields[name].initial = getattr(session, name)
        for name in ("starts_at", "ends_at"):
            self.fields[name].initial = _local(getattr(session, name), self.event.time_zone)

    @property
    def event(self) -> Event:
        session: Session = self.obj
        return session.event


class PublishDialog(Dialog):
    """The checklist, before anybody tries."""

    def failures(self) -> list[publishing.Failure]:
        return publishing.checklist(self.obj, list(self.obj.sessions.order_by("starts_at")), at=timezone.now())

    @property
    def blocked(self) -> bool:
        return bool(self.failures())

    def explain(self) -> list[str]:
        found = self.failures()
        if found:
            return ["Before it can be published:", *(f"• {failure.fix}" for failure in found)]
        return ["Everything on the checklist is in place. From then on people can register."]


class UnpublishDialog(Dialog):
    def explain(self) -> list[str]:
        seats = commitments.sold(self.obj.pk).seats
        if seats:
            return [f"{seats} places are taken. An event that people registered for stays published."]
        return ["Nobody has registered yet. The event disappears from public pages until it is published again."]

    @property
    def blocked(self) -> bool:
        return bool(commitments.sold(self.obj.pk).seats)


def host_of(organization_id: Any, email: str) -> Any:
    """The member's user id; None where nobody of that address works there, which the operation refuses."""
    members = Membership.objects.active().filter(organization_id=organization_id, user__email__iexact=email)
    return members.values_list("user_id", flat=True).first()
