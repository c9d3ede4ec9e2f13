"""allauth's hooks: what differs from its defaults."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.models import EmailAddress
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.http import HttpRequest

from accounts import mails, session_lifetime, sign_in_locks, verified_emails


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Emails are stored in lower case, one spelling for each person; every way of signing in starts the session's clocks."""

    def clean_email(self, email: str) -> str:
        return str(super().clean_email(email)).lower()

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        """Of the address alone: allauth's holds the host too, and every name of the site would give as many tries again."""
        return sign_in_locks.key_of(credentials.get("email") or credentials.get("username") or "")

    def login(self, request: HttpRequest, user: AbstractBaseUser) -> None:
        super().login(request, user)
        session_lifetime.begin(request.session)

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        mails.send(template_prefix, email, context)

    def confirm_email(self, request: HttpRequest, email_address: EmailAddress) -> bool:
        with transaction.atomic():
            confirmed = bool(super().confirm_email(request, email_address))
            if confirmed:
                verified_emails.announce(user_id=email_address.user_id, email=email_address.email)
        return confirmed
