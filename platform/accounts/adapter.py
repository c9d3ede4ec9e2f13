"""allauth's hooks: what differs from its defaults."""

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.models import EmailAddress
from django.db import transaction
from django.http import HttpRequest

from accounts import verified_emails


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Emails are stored in lower case, one spelling for each person."""

    def clean_email(self, email: str) -> str:
        return str(super().clean_email(email)).lower()

    def confirm_email(self, request: HttpRequest, email_address: EmailAddress) -> bool:
        with transaction.atomic():
            confirmed = bool(super().confirm_email(request, email_address))
            if confirmed:
                verified_emails.announce(user_id=email_address.user_id, email=email_address.email)
        return confirmed
