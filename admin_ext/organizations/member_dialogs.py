"""What is decided about a member: another role, or the end and who takes over."""

from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminRadioSelectWidget, UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from admin_ext.console.dialogs import Dialog
from admin_ext.organizations import invitation_dialogs
from organizations import belongings, members
from organizations.models import Membership, Role


class ChangeRoleDialog(invitation_dialogs.TakesSeat):
    role = forms.ChoiceField(label="New role", choices=Role.choices, widget=UnfoldAdminRadioSelectWidget)

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.fields["role"].initial = self.obj.role

    def explain(self) -> list[str]:
        return [*invitation_dialogs.means(Role, self.obj.organization_id), f"A seat: {self.seat.sentence}"]


class RemoveDialog(Dialog):
    """A successor is asked for where the member hosts something, and can be named in any case."""

    successor = forms.ChoiceField(label="Who takes over", required=False, widget=UnfoldAdminSelectWidget)
    reason = forms.CharField(label="Reason", required=False, max_length=2000, widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}))

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        membership: Membership = self.obj
        self.held = belongings.held(organization_id=membership.organization_id, user_id=membership.user_id)
        found = members.successors(membership).select_related("user").order_by("user__name", "pk")[:200]
        self.fields["successor"] = forms.ChoiceField(
            label="Who takes over",
            choices=[("", "Nobody"), *((str(one.user_id), f"{one.user} ({one.user.email})") for one in found)],
            required=False,
            widget=UnfoldAdminSelectWidget,
            help_text="Takes over everything that the person hosts." if self.held else "The person hosts nothing.",
        )

    def explain(self) -> list[str]:
        return [
            "From the next request on, nothing of the organization is open to this person. Their seat is free, and a mail tells them.",
            "Their own account, registrations and certificates stay theirs.",
        ]

    def facts(self) -> list[tuple[str, Any]]:
        return [("Answers for", ", ".join(map(str, self.held)) or "nothing")]

    def values(self) -> dict[str, Any]:
        return {"successor_id": self.cleaned_data["successor"] or None, "reason": self.cleaned_data["reason"]}
