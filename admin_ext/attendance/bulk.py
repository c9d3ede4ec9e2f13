"""Present or absent, for many registrations at once."""

from typing import Any
from uuid import UUID

from django import forms
from unfold.widgets import UnfoldAdminTextInputWidget

from admin_ext.console.bulk_kinds import BulkKind, Plan, register
from admin_ext.models import BulkItem
from audit.actor import Actor
from core.errors import NotFound
from core.public_ids import decode
from events.models import Session
from organizations.permissions import Permission
from registrations import attendance, places
from registrations.models import Registration


class WhichSession(forms.Form):
    session = forms.CharField(
        label="Session",
        max_length=64,
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text="An id: ses_…, from the session's page. Left empty: every session of each person's event.",
    )

    def clean_session(self) -> str:
        chosen: str = self.cleaned_data["session"].strip()
        if chosen:
            try:
                decode(Session.public_prefix, chosen)
            except ValueError:
                raise forms.ValidationError("Give the session by its id: ses_…, or leave it empty.") from None
        return chosen


def _session(values: dict[str, Any]) -> UUID | None:
    return decode(Session.public_prefix, values["session"]) if values.get("session") else None


def _plan(place: Registration, values: dict[str, Any], by: Actor, *, present: bool) -> Plan:
    places.require_attendance(place.event, by)
    marked = attendance.require_markable(place, present=present, session_id=_session(values))
    return Plan(f"{'Present' if present else 'Absent'}: {', '.join(session.title for session, _ in marked)}")


def _apply(item: BulkItem, values: dict[str, Any], by: Actor, *, present: bool) -> str:
    if not Registration.objects.visible_to(by).filter(pk=item.object_id).exists():
        raise NotFound("registration")
    change = attendance.mark(registration_id=item.object_id, present=present, session_id=_session(values), by=by)
    return f"Marked; {change.told()}"


def _kind(name: str, label: str, *, present: bool, undo: str) -> BulkKind:
    return register(
        BulkKind(
            name=name,
            label=label,
            model=Registration,
            permission=Permission.ATTENDANCE_MANAGE,
            plan=lambda place, values, by: _plan(place, values, by, present=present),
            apply=lambda item, values, by: _apply(item, values, by, present=present),
            undo=undo,
            rows=lambda rows, by: rows.select_related("event"),
            form_class=WhichSession,
        )
    )


MARK_PRESENT = _kind("registration.mark_present", "Mark present…", present=True, undo="To take it back, mark the same people absent.")
MARK_ABSENT = _kind("registration.mark_absent", "Mark absent…", present=False, undo="To take it back, mark the same people present.")
