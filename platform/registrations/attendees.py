"""Who registers: a person with an account, or a guest who gives a name and an address."""

from dataclasses import dataclass, replace
from uuid import UUID

from allauth.account.models import EmailAddress
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db.models import Exists, OuterRef

from accounts.models import User
from audit.actor import Actor
from core.errors import InvalidInput
from events import text_checks
from registrations.models import Registration


@dataclass(frozen=True, slots=True)
class Attendee:
    """is_verified: whether the address is known to be theirs. A guest has no user_id and is never verified."""

    email: str
    name: str
    user_id: UUID | None = None
    is_verified: bool = False

    def owns(self, registration: Registration) -> bool:
        """Whether they may be told of it: an address alone, typed by anybody, opens nothing."""
        return self.user_id is not None and (self.is_verified or registration.user_id == self.user_id)


def of(by: Actor, *, email: str, name: str) -> Attendee:
    """A signed-in person under the account's address, whatever `email` says; anybody else as the guest they say they are.

    Raises InvalidInput.
    """
    if by.user_id is None:
        return Attendee(checked_email(email), checked_name(name))
    person = _person(by.user_id, name)
    return replace(person, name=checked_name(person.name))


def looking(by: Actor) -> Attendee:
    """Whoever looks at a price: the signed-in person, or somebody of whom nothing is known yet."""
    return Attendee("", "") if by.user_id is None else _person(by.user_id, "")


def _person(user_id: UUID, name: str) -> Attendee:
    verified = EmailAddress.objects.filter(user_id=OuterRef("pk"), email__iexact=OuterRef("email"), verified=True)
    user = User.objects.annotate(is_verified=Exists(verified)).get(pk=user_id)
    return Attendee(user.email, name or user.name, user.pk, user.is_verified)


def checked_name(name: str) -> str:
    """Any script, emoji too, on one line, up to 200 characters. Raises InvalidInput."""
    return text_checks.line(name, field="name", limit=200)


def checked_email(email: str) -> str:
    """In lower case, up to 254 characters. Raises InvalidInput."""
    email = text_checks.line(email, field="email", limit=254).lower()
    try:
        validate_email(email)
    except ValidationError:
        raise InvalidInput("Give an email address, such as name@example.org.", field="email") from None
    return email
