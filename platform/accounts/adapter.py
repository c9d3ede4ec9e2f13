"""allauth's hooks: what differs from its defaults."""

from allauth.account.adapter import DefaultAccountAdapter


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Emails are stored in lower case, one spelling for each person."""

    def clean_email(self, email: str) -> str:
        return str(super().clean_email(email)).lower()
