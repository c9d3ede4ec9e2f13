"""Forms of the public pages: shape only, the operations decide."""

from typing import Any

from django import forms

from accounts.models import User


class RegistrationForm(forms.Form):
    """A signed-in person gives a country at most; a guest name and email too."""

    name = forms.CharField(max_length=200, label="Your name", widget=forms.TextInput(attrs={"autocomplete": "name"}))
    email = forms.EmailField(
        max_length=254, label="Email", help_text="Your confirmation goes here.", widget=forms.EmailInput(attrs={"autocomplete": "email"})
    )
    country = forms.CharField(
        max_length=2,
        min_length=2,
        required=False,
        label="Country (two letters)",
        help_text="For the tax of online events, for example DE.",
        widget=forms.TextInput(attrs={"autocomplete": "country", "size": "2"}),
    )
    promo_code = forms.CharField(
        max_length=80, required=False, label="Promo code", widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"})
    )
    expected_total = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, user: Any, takes_code: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not takes_code:
            del self.fields["promo_code"]
        if isinstance(user, User):
            del self.fields["email"]
            if user.name:
                del self.fields["name"]

    def clean_country(self) -> str:
        return str(self.cleaned_data["country"]).upper()

    def arguments(self) -> dict[str, Any]:
        """What the operation takes."""
        names = ("name", "email", "country", "promo_code", "expected_total")
        return {name: self.cleaned_data[name] for name in names if name in self.cleaned_data and self.cleaned_data[name] not in (None, "")}
