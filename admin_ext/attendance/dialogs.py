"""What organizers type about attendance: marks, decisions, files, and who a line of a file is."""

from typing import Any

from django import forms
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from admin_ext.console.dialogs import Dialog
from core.errors import InvalidInput
from core.public_ids import decode
from events import local_times
from registrations import attendance_files, participant_files, verdicts
from registrations.models import AttendanceLine, AttendanceOverride, Registration

WHOLE = ""


def _sessions(place: Registration, whole: str) -> list[tuple[str, str]]:
    sessions = place.event.sessions.order_by("starts_at", "id")
    return [(WHOLE, whole), *((str(one.pk), one.title) for one in sessions)]


class _AboutASession(Dialog):
    """One session of the place's event, or all of it."""

    whole = "Every session"
    session = forms.ChoiceField(label="Session", required=False, widget=UnfoldAdminSelectWidget)

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.fields["session"] = forms.ChoiceField(
            label="Session", required=False, choices=_sessions(self.obj, self.whole), widget=UnfoldAdminSelectWidget
        )

    def values(self) -> dict[str, Any]:
        found = {name: value for name, value in self.cleaned_data.items() if name != "session"}
        return {**found, "session_id": self.cleaned_data["session"] or None}


class MarkDialog(_AboutASession):
    presence = forms.ChoiceField(
        label="The person was",
        choices=[("present", "Present, from beginning to end"), ("absent", "Absent: check-ins do not count")],
        initial="present",
        widget=UnfoldAdminRadioSelectWidget,
    )

    def values(self) -> dict[str, Any]:
        found = super().values()
        return {"session_id": found["session_id"], "present": found["presence"] == "present"}


class DecideDialog(_AboutASession):
    whole = "The event as a whole"
    decision = forms.ChoiceField(label="Decision", choices=AttendanceOverride.Decision.choices, widget=UnfoldAdminRadioSelectWidget)
    reason = forms.CharField(
        label="Reason", max_length=500, widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}), help_text="Kept in the history."
    )

    def explain(self) -> list[str]:
        return ["A denial always wins; a grant counts whatever was recorded. What was decided there before is withdrawn."]


class WithdrawDialog(_AboutASession):
    whole = "The event as a whole"

    def explain(self) -> list[str]:
        return ["What was recorded counts again."]


class FileDialog(Dialog):
    """The file is read and kept line by line; its page shows what would happen with each before anything does."""

    upload = forms.FileField(
        label="CSV file",
        widget=UnfoldAdminFileFieldWidget(attrs={"accept": ".csv,text/csv"}),
        help_text="Zoom's report of participants, or a list with the columns email, name, joined and left.",
    )
    time_zone = forms.CharField(
        label="Whose clock its times show",
        max_length=64,
        widget=UnfoldAdminTextInputWidget,
        help_text="Zoom writes the times of whoever downloaded the report.",
    )

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.fields["time_zone"].initial = self.obj.event.time_zone

    def facts(self) -> list[tuple[str, Any]]:
        return [("The session", local_times.span(self.obj.starts_at, self.obj.ends_at, self.obj.event.time_zone))]

    def explain(self) -> list[str]:
        return [
            "People are found by address, then by name or a name that was matched before. Without times a line means the whole session.",
            f"At most {participant_files.MOST_LINES:,} lines. Nothing is recorded before you have confirmed the preview.",
        ]

    def clean_time_zone(self) -> str:
        zone: str = self.cleaned_data["time_zone"]
        if not local_times.is_zone(zone):
            raise forms.ValidationError("Give the time zone by its IANA name, such as Europe/Berlin.")
        return zone

    def values(self) -> dict[str, Any]:
        found, megabytes = self.cleaned_data["upload"], participant_files.LARGEST_FILE // 1024 // 1024
        if found.size > participant_files.LARGEST_FILE:
            raise InvalidInput(f"The file is larger than {megabytes} MB; send it in parts.", field="upload")
        return {"content": found.read(), "time_zone": self.cleaned_data["time_zone"]}


class MatchDialog(Dialog):
    """Who it might be, the likeliest first; anybody else by the id of their registration."""

    registration = forms.CharField(label="Registration", max_length=64, required=False, widget=UnfoldAdminTextInputWidget)
    remember = forms.BooleanField(
        label="Remember this name and address",
        required=False,
        initial=True,
        widget=UnfoldBooleanSwitchWidget,
        help_text="The next file of the organization then finds the person.",
    )

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        line: AttendanceLine = self.obj
        self.fields["registration"].help_text = "An id: reg_…, from the person's page."
        choices = [(one.public_id, f"{one.name} ({one.email})") for one in attendance_files.suggested(line)]
        if choices:
            suggestion = forms.ChoiceField(
                label="It might be", choices=[*choices, ("", "Somebody else")], required=False, widget=UnfoldAdminRadioSelectWidget
            )
            self.fields = {"suggestion": suggestion, **self.fields}

    def facts(self) -> list[tuple[str, Any]]:
        return [("Name in the file", self.obj.name or "–"), ("Address in the file", self.obj.email or "–")]

    def values(self) -> dict[str, Any]:
        chosen = self.cleaned_data.get("suggestion") or self.cleaned_data["registration"].strip()
        try:
            key = decode(Registration.public_prefix, chosen)
        except ValueError:
            raise InvalidInput("Choose who it is, or give the id of the registration: reg_….", field="registration") from None
        return {"registration_id": key, "remember": self.cleaned_data["remember"]}


class RecalculateDialog(Dialog):
    """The difference, before anybody works it out."""

    def explain(self) -> list[str]:
        changes = verdicts.outdated(self.obj, most=5_000)
        if not changes:
            return ["Everything is as the attendance says; working it out again changes nothing."]
        names = dict(Registration.objects.filter(pk__in=[one.registration_id for one in changes[:20]]).values_list("pk", "name"))
        told = [f"• {names[one.registration_id]}: {one.told()}" for one in changes[:20]]
        more = [f"• and {len(changes) - 20} more"] if len(changes) > 20 else []
        return [f"{len(changes)} of the people would be shown otherwise:", *told, *more]
