"""The form inside a button's dialog."""

from typing import Any

from django import forms
from django.http import HttpRequest

from audit.actor import Actor


class Dialog(forms.Form):
    """obj: the object the dialog is about, loaded through the scope; actor: who asks.

    Subclasses add fields, `explain` (what will happen, shown above them) and `values` (what the operation is called with).
    """

    def __init__(self, *, request: HttpRequest, obj: Any, actor: Actor, token: str, data: Any = None, files: Any = None) -> None:
        self.request, self.obj, self.actor, self.token = request, obj, actor, token
        super().__init__(data=data, files=files)

    blocked: Any = False  # whether this cannot be submitted, as `explain` says
    preview_url = ""  # where the dialog posts its fields to show what they would do
    preview_wait = ""  # what stands there until the answer is in

    def explain(self) -> list[str]:
        return []

    def facts(self) -> list[tuple[str, Any]]:
        """Names and values that help to decide."""
        return []

    def values(self) -> dict[str, Any]:
        return dict(self.cleaned_data)


class Confirm(Dialog):
    """No fields: the button's own sentence says what will happen."""
