"""What the platform's people type before they do something in an organization, and what an admin types who passes the role on."""

from django import forms
from unfold.widgets import UnfoldAdminEmailInputWidget, UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from admin_ext.console.dialogs import Dialog
from organizations.models import Role


class GrantAdminDialog(Dialog):
    email = forms.EmailField(
        label="Email of their account", max_length=254, widget=UnfoldAdminEmailInputWidget(attrs={"autocomplete": "off"})
    )
    reason = forms.CharField(label="Reason", max_length=2000, widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}))

    def explain(self) -> list[str]:
        return [
            "For organizations that have nobody left who can do it. The person has every right there from the next request on.",
            "All who work for the organization get a mail with the reason.",
        ]


class ActDialog(Dialog):
    minutes = forms.TypedChoiceField(
        label="For how long", coerce=int, initial=30, choices=[(15, "15 minutes"), (30, "30 minutes"), (60, "1 hour")],
        widget=UnfoldAdminSelectWidget,
    )  # fmt: skip
    reason = forms.CharField(label="Reason", max_length=2000, widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}))

    def explain(self) -> list[str]:
        return [
            "The organizer console shows this organization as its admins see it. Every request is kept in its audit log under your name.",
            "Money, roles, exports and whatever else asks for a second factor stay closed.",
        ]


class OfferAdminDialog(Dialog):
    becomes = forms.ChoiceField(
        label="You are then", choices=[(Role.ADMIN, "Admin still"), (Role.ORGANIZER, "Organizer"), (Role.COURSE_MANAGER, "Course manager")],
        initial=Role.ADMIN, widget=UnfoldAdminSelectWidget,
    )  # fmt: skip

    def explain(self) -> list[str]:
        return ["The person gets a mail and answers within seven days. Nothing changes before they accept."]


class UnlockDialog(Dialog):
    reason = forms.CharField(label="Reason", max_length=2000, widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}))

    def explain(self) -> list[str]:
        return [
            "Somebody typed this account's password or code wrongly too often: its person, or a stranger who guesses.",
            "Lifting the lock lets both go on. Write how you know that it is this person who asks.",
        ]
