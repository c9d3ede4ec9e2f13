"""The rule of completion, of an event and of one session: who gains and who loses stands below the fields while one types."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from django import forms
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminSelectWidget,
    UnfoldBooleanSwitchWidget,
)

from admin_ext.console.dialogs import Dialog
from core.errors import InvalidInput
from events import completion
from events.models import Event, Session
from registrations import completion_rules
from registrations.completion_rules import Affected, WhatIf
from registrations.models import Registration

SHOWN = 20


class _RuleDialog(Dialog):
    """seal: of the effect that stood below the fields when they were sent."""

    preview_name = ""
    preview_wait = "Working out who gains and who loses…"
    seal = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput)

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.preview_url = f"{self.request.path.rstrip('/').rpartition('/')[0]}/{self.preview_name}/"

    def what_if(self) -> WhatIf:
        """Raises InvalidInput."""
        raise NotImplementedError

    def changes(self) -> dict[str, Any]:
        return {name: value for name, value in self.cleaned_data.items() if name != "seal"}

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        if self.errors:
            return values
        try:
            found = self.what_if()
        except InvalidInput as refusal:
            self.add_error(refusal.field if refusal.field in self.fields else None, str(refusal))
            return values
        self.effect = found
        if found.affected and values.get("seal") != found.seal:
            self.data = {**self.data, "seal": found.seal}  # the next time it is confirmed
            self.add_error(None, " ".join(["Look at who, then confirm.", *self.told(found)]))
        return values

    def told(self, found: WhatIf) -> list[str]:
        """The summary and the first people of each side, in lines."""
        return [found.summary(), *_people("Gains", found.gaining), *_people("Loses", found.losing)]

    def preview(self) -> tuple[str, list[str]]:
        """The seal and what it seals; sentences without one where the fields are not right yet."""
        self.is_valid()
        effect: WhatIf | None = getattr(self, "effect", None)
        return (effect.seal, self.told(effect)) if effect else ("", ["Correct the fields to see who gains and who loses."])

    def values(self) -> dict[str, Any]:
        return {**self.changes(), "seal": self.cleaned_data["seal"]}


def _people(verb: str, affected: list[Affected]) -> Iterable[str]:
    shown = affected[:SHOWN]
    names = dict(Registration.objects.filter(pk__in=[one.registration_id for one in shown]).values_list("pk", "name"))
    yield from (f"{verb}: {names[one.registration_id]}, {one.told()}." for one in shown)
    if len(affected) > SHOWN:
        yield f"{verb}: and {len(affected) - SHOWN} more."


class EventRuleDialog(_RuleDialog):
    preview_name = "completion-preview"
    completion_rule = forms.ChoiceField(label="Completed with", choices=completion.Rule.choices, widget=UnfoldAdminRadioSelectWidget)
    completion_value = forms.IntegerField(
        label="How much of it",
        required=False,
        min_value=1,
        max_value=100_000,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="Percent, sessions or minutes; empty for every session.",
    )
    credits_by_session = forms.BooleanField(
        label="Credits go by session",
        required=False,
        widget=UnfoldBooleanSwitchWidget,
        help_text="The sum of the sessions that count, instead of the same for everybody.",
    )
    credits = forms.DecimalField(
        label="Credits of the event", max_digits=6, decimal_places=2, min_value=0, widget=UnfoldAdminDecimalFieldWidget
    )
    credit_hour_minutes = forms.TypedChoiceField(
        label="An hour of credit has",
        coerce=int,
        choices=[(minutes, f"{minutes} minutes") for minutes in completion.HOURS],
        widget=UnfoldAdminSelectWidget,
    )
    credit_step = forms.TypedChoiceField(
        label="Credits go in steps of",
        coerce=Decimal,
        choices=[(str(step), str(step)) for step in completion.STEPS],
        widget=UnfoldAdminSelectWidget,
    )
    credit_rounding = forms.ChoiceField(label="Rounded", choices=completion.Rounding.choices, widget=UnfoldAdminSelectWidget)

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        for name in self.fields.keys() - {"seal"}:
            value = getattr(self.obj, name)
            self.fields[name].initial = str(value) if isinstance(value, Decimal) else value

    def what_if(self) -> WhatIf:
        event: Event = self.obj
        return completion_rules.what_if(event, changes=self.changes())  # type: ignore[arg-type]  # the form's fields are its keys


class SessionRuleDialog(_RuleDialog):
    preview_name = "counts-preview"
    is_mandatory = forms.BooleanField(label="Needed for the certificate", required=False, widget=UnfoldBooleanSwitchWidget)
    attendance_percent = forms.IntegerField(
        label="Counts from, in percent of its length", min_value=0, max_value=100, widget=UnfoldAdminIntegerFieldWidget
    )
    credits = forms.DecimalField(
        label="Credits",
        required=False,
        max_digits=6,
        decimal_places=2,
        min_value=0,
        widget=UnfoldAdminDecimalFieldWidget,
        help_text="Where credits go by session. Left empty: what its length gives.",
    )
    kind = forms.ChoiceField(
        label="Kind", choices=Session.Kind.choices, widget=UnfoldAdminSelectWidget, help_text="A recording never counts."
    )
    is_published = forms.BooleanField(label="Published", required=False, widget=UnfoldBooleanSwitchWidget)
    is_cancelled = forms.BooleanField(label="Cancelled", required=False, widget=UnfoldBooleanSwitchWidget)

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        for name in self.fields.keys() - {"seal"}:
            self.fields[name].initial = getattr(self.obj, name)

    def what_if(self) -> WhatIf:
        session: Session = self.obj
        return completion_rules.what_if(session.event, changes={}, sessions={session.pk: self.changes()})  # type: ignore[dict-item]
