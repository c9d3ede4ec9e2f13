"""allauth's mails as our own: a row each in the outbox, our words, our templates."""

from typing import Any

from notifications import delivery

_CODE = {"account/email/email_confirmation", "account/email/email_confirmation_signup", "account/email/login_code"}
KEYS = {"account_code", "account_password_reset", "account_exists"}  # kinds whose text opens an account: no console shows it
_NOTICES = {
    "account/email/email_changed": "the main address of your account was changed",
    "account/email/email_confirm": "an address of your account was confirmed",
    "account/email/email_deleted": "an address was removed from your account",
    "account/email/password_changed": "the password of your account was changed",
    "account/email/password_reset": "the password of your account was set anew",
    "account/email/password_set": "a password was set for your account",
    "mfa/email/recovery_codes_generated": "new recovery codes were made for your account; the old ones no longer work",
    "mfa/email/totp_activated": "an authenticator app was added to your account as second factor",
    "mfa/email/totp_deactivated": "the authenticator app was removed from your account",
}


class UnknownMail(LookupError):
    """allauth wants to send something that has no words of ours yet."""


def send(prefix: str, to: str, given: dict[str, Any]) -> None:
    """Queue the mail that allauth calls `prefix`. Raises UnknownMail."""
    if prefix in _CODE:
        delivery.queue(kind="account_code", to=to, context={"code": given["code"]}, opens=given["code"])
    elif prefix == "account/email/password_reset_key":
        delivery.queue(
            kind="account_password_reset", to=to, context={"link": given["password_reset_url"]}, opens=given["password_reset_url"]
        )
    elif prefix == "account/email/account_already_exists":
        delivery.queue(kind="account_exists", to=to, context={"link": given["password_reset_url"]}, opens=given["password_reset_url"])
    elif prefix == "account/email/unknown_account":
        delivery.queue(kind="account_unknown", to=to, context={"link": given["signup_url"]})
    elif prefix in _NOTICES:
        delivery.queue(kind="account_notice", to=to, context={"what": _NOTICES[prefix], "ip": given.get("ip", "")})
    else:
        raise UnknownMail(prefix)
