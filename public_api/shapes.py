"""The shapes that every resource uses: typed ids, money, texts that the database can hold, strict bodies."""

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from ninja import Schema
from pydantic import AfterValidator, AwareDatetime, BeforeValidator, ConfigDict, Field, StringConstraints, WithJsonSchema

from core.money import Money
from core.public_ids import decode


def _id_of(prefix: str) -> Any:
    def read(text: Any) -> UUID:
        if not isinstance(text, str):
            raise ValueError(f"Give an id such as {prefix}_….")
        try:
            return decode(prefix, text)
        except ValueError as error:
            raise ValueError(f"This is not an id of the form {prefix}_….") from error

    schema = {"type": "string", "pattern": f"^{prefix}_[0-7][0-9a-hjkmnp-tv-z]{{25}}$"}
    return Annotated[UUID, BeforeValidator(read), WithJsonSchema(schema)]


EventId = _id_of("evt")
RegistrationId = _id_of("reg")
OrganizationId = _id_of("org")
MembershipId = _id_of("mem")
InvitationId = _id_of("inv")
PayoutId = _id_of("pyt")
DocumentId = _id_of("doc")
CheckInId = _id_of("chi")
SessionRef = _id_of("ses")


def _storable(text: str) -> str:
    if any(ord(character) < 32 and character not in "\t\n\r" for character in text):
        raise ValueError("Control characters cannot be stored; leave them out.")
    return text


def _in_our_times(value: datetime) -> datetime:
    """In UTC: PostgreSQL takes neither every offset nor every year that ISO 8601 can write."""
    try:
        moment_in_utc = value.astimezone(UTC)
    except OverflowError:
        moment_in_utc = None
    if moment_in_utc is None or not _FIRST_YEAR <= moment_in_utc.year <= _LAST_YEAR:
        raise ValueError(f"Give a time between the years {_FIRST_YEAR} and {_LAST_YEAR}.")
    return moment_in_utc


_FIRST_YEAR, _LAST_YEAR = 1900, 2200
Moment = Annotated[AwareDatetime, AfterValidator(_in_our_times)]
Text = Annotated[str, AfterValidator(_storable)]
Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), AfterValidator(_storable)]
Email = Annotated[
    str, StringConstraints(strip_whitespace=True, max_length=254, pattern=r"^[^\s@\x00-\x1f]+@[^\s@\x00-\x1f]+\.[^\s@\x00-\x1f]+$")
]


class Body(Schema):
    """A request's body: what is not known here is refused, never dropped in silence."""

    model_config = ConfigDict(extra="forbid")


class MoneyOut(Schema):
    """Minor units of the currency."""

    amount: int
    currency: str


def money(value: Money) -> dict[str, Any]:
    return {"amount": value.amount, "currency": value.currency}


def moment(value: datetime | None) -> str | None:
    """ISO 8601 in UTC, with seconds."""
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if value else None


CurrencyCode = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
Country = Annotated[str, Field(pattern=r"^([A-Z]{2})?$")]
PromoCodeText = Annotated[str, StringConstraints(strip_whitespace=True, max_length=80), AfterValidator(_storable)]
