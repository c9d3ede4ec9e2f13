"""The end of an organization: what stands in the way, what happens, and its name typed."""

from django import forms
from django.utils import timezone
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from admin_ext.console.dialogs import Dialog
from organizations import belongings
from organizations.belongings import Blocker


class CloseDialog(Dialog):
    confirmation = forms.CharField(
        label="Name of the organization", max_length=200, widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"})
    )
    reason = forms.CharField(label="Reason", required=False, max_length=2000, widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}))

    def blockers(self) -> list[Blocker]:
        return belongings.blockers(organization_id=self.obj.pk, at=timezone.now())

    @property
    def blocked(self) -> bool:
        return bool(self.blockers())

    def explain(self) -> list[str]:
        found = self.blockers()
        if found:
            return ["Before it can be closed:", *(f"• {one.sentence}" for one in found)]
        return [
            "Nothing of it is public from then on, and nobody works for it any more. There is no undo.",
            "Its admins get a link to everything it has, good for thirty days. After that, what names it is taken away.",
            "People keep their registrations and receipts. The books stay as they are.",
        ]
