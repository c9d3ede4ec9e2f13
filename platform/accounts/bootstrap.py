"""The first person of the platform: no password is ever written down, the second factor is asked for at the first sign-in."""

from collections.abc import Sequence

from allauth.account.forms import default_token_generator
from allauth.account.models import EmailAddress
from allauth.account.utils import user_pk_to_url_str
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.urls import reverse

from accounts.models import User
from audit.actor import Actor, StaffGroup
from audit.recording import record
from core.errors import DomainError, InvalidInput


class AccountExists(DomainError):
    code, http_status = "ACCOUNT_EXISTS", 409

    def __init__(self) -> None:
        super().__init__("This account has a password already; grant staff groups in the console instead.")


class StaffExist(DomainError):
    code, http_status = "STAFF_EXIST", 409

    def __init__(self) -> None:
        super().__init__("There are staff accounts already; add --another where one more is wanted from the command line.")


@transaction.atomic
def bootstrap_staff(*, email: str, groups: Sequence[StaffGroup], another: bool = False) -> str:
    """An account in those staff groups without a password, and the link that sets one: once, within an hour.

    Where the account waits for its password still, a new link is made and its groups stay. another: although there are staff.
    Raises InvalidInput, AccountExists, StaffExist.
    """
    email = email.strip().lower()
    try:
        validate_email(email)
    except ValidationError:
        raise InvalidInput("Give an email address, such as name@example.org.", field="email") from None
    if not another and User.objects.exclude(email=email).exclude(staff_groups=[], is_superuser=False).exists():
        raise StaffExist
    user = User.objects.filter(email=email).first()
    if user is None:
        user = User.objects.create_user(email, staff_groups=[str(group) for group in groups])
        EmailAddress.objects.create(user=user, email=email, verified=True, primary=True)
        record(user, "user.bootstrapped", by=Actor.system("accounts.bootstrap"), after={"staff_groups": user.staff_groups})
    elif user.has_usable_password():
        raise AccountExists
    key = default_token_generator.make_token(user)
    path = reverse("account_reset_password_from_key", kwargs={"uidb36": user_pk_to_url_str(user), "key": key})
    return f"{settings.BASE_URL}{path}"
