"""The shapes that every resource uses: typed ids, money, texts that the database can hold, strict bodies."""

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from ninja import Schema
from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, StringConstraints, WithJsonSchema

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


def _storable(text: str) -> str:
    if any(ord(character) < 32 and character not in "\t\n\r" for character in text):
        raise ValueError("Control characters cannot be stored; leave them out.")
    return text


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
