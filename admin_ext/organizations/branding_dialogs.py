"""A picture for the organization."""

from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminFileFieldWidget

from admin_ext.console.dialogs import Dialog
from core.errors import InvalidInput
from organizations import branding


class LogoDialog(Dialog):
    upload = forms.FileField(
        label="Picture",
        widget=UnfoldAdminFileFieldWidget(attrs={"accept": ".png,.jpg,.jpeg,.webp"}),
        help_text="PNG, JPEG or WebP, at most 2 MB. It is kept as PNG of at most 512 pixels.",
    )

    def values(self) -> dict[str, Any]:
        found = self.cleaned_data["upload"]
        if found.size > branding.LARGEST_FILE:
            raise InvalidInput("The picture is larger than 2 MB; send a smaller one.", field="upload")
        return {"content": found.read()}
