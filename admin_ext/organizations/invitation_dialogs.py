"""What people type to invite others."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django import forms
from unfold.widgets import UnfoldAdminEmailInputWidget, UnfoldAdminFileFieldWidget, UnfoldAdminRadioSelectWidget, UnfoldBooleanSwitchWidget

from admin_ext.console.dialogs import Dialog
from core.errors import InvalidInput
from organizations import invitation_files, role_words, seating
from organizations.models import Organization, Role
from organizations.permissions import allows, for_members_in


def means(roles: Iterable[Role], organization_id: UUID) -> list[str]:
    """One line for each role: what its holder may do, and whether it takes a seat; then what a seat means, said once."""
    seats = {role: seating.preview(organization_id=organization_id, role=role) for role in roles}
    takes = {role: "It takes a seat." if seat.is_counted else "It takes no seat." for role, seat in seats.items()}
    return [f"{role.label}: {role_words.MEANS[role]} {takes[role]}" for role in seats]


class TakesSeat(Dialog):
    """What a seat would cost, as Stripe says now, and the consent to buy one where none is free."""

    buy_seat = forms.BooleanField(required=False, widget=UnfoldBooleanSwitchWidget)

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        key = self.obj.pk if isinstance(self.obj, Organization) else self.obj.organization_id
        self.seat = seating.preview(organization_id=key, role=Role.ORGANIZER, outside=True)
        consent = self.fields.pop("buy_seat")
        if self.seat.price is not None:  # below what else is asked
            consent.label = f"Buy one more seat for {self.seat.price} a {self.seat.per}, if the role takes one"
            self.fields["buy_seat"] = consent


class InviteDialog(TakesSeat):
    """Only the roles that this person may give out; what each means, and whether it takes a seat, stands beside it."""

    email = forms.EmailField(label="Email", max_length=254, widget=UnfoldAdminEmailInputWidget(attrs={"autocomplete": "off"}))
    role = forms.ChoiceField(label="Role", widget=UnfoldAdminRadioSelectWidget)

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        organization: Organization = self.obj
        may = [role for role in Role if allows(self.actor, for_members_in(role), organization.pk)] or list(Role)
        self.fields["role"] = forms.ChoiceField(
            label="Role", choices=[(role.value, role.label) for role in may], widget=UnfoldAdminRadioSelectWidget
        )
        self.roles = may
        if set(may) == {Role.INSTRUCTOR}:
            self.fields.pop("buy_seat", None)

    def explain(self) -> list[str]:
        sent = "The person gets a mail with a link that works for seven days, for that address only."
        counted = [f"A seat: {self.seat.sentence}"] if set(self.roles) - {Role.INSTRUCTOR} else []
        return [sent, *means(self.roles, self.obj.pk), *counted]


class InviteFileDialog(Dialog):
    """The file is read and kept line by line; its page shows what would happen with each before anything does."""

    upload = forms.FileField(
        label="CSV file", widget=UnfoldAdminFileFieldWidget(attrs={"accept": ".csv,text/csv"}), help_text="Columns: email and role."
    )

    def explain(self) -> list[str]:
        return [
            "One person in each line. Roles: " + ", ".join(Role.values) + ".",
            f"At most {invitation_files.MOST_LINES:,} people in a file. Nobody is invited before you have confirmed the preview.",
        ]

    def values(self) -> dict[str, Any]:
        found = self.cleaned_data["upload"]
        if found.size > invitation_files.LARGEST_FILE:
            raise InvalidInput(f"The file is larger than {invitation_files.LARGEST_FILE // 1024} KB; send it in parts.", field="upload")
        return {"content": found.read()}
