"""The fields of an event one by one: what no event could have is refused here, what publishing asks for is the checklist's matter."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import URLValidator

from billing import refund_terms
from core.errors import InvalidInput
from core.money import CURRENCIES
from events import local_times, text_checks
from events.models import Event

MAX_CAPACITY = 100_000
MAX_PRICE = 99_999_999


def cleaned(values: dict[str, Any]) -> dict[str, Any]:
    """The values as they are stored. Raises InvalidInput for the first that cannot be, with its field."""
    unknown = values.keys() - _CHECKS.keys()
    if unknown:
        raise InvalidInput(f"An event has no field “{min(unknown)}” that can be set.", field=min(unknown))
    return {name: _CHECKS[name](value, name) for name, value in values.items()}


def consistent(event: Event) -> None:
    """Raise InvalidInput where two fields contradict each other; the database holds the same rules."""
    if event.ends_at <= event.starts_at:
        raise InvalidInput("The event must end after it starts.", field="ends_at")
    opens, closes = event.registration_opens_at, event.registration_closes_at
    if opens and closes and closes <= opens:
        raise InvalidInput("Registration must close after it opens.", field="registration_closes_at")


def country(value: Any, field: str) -> str:
    """Two capitals, or nothing. Raises InvalidInput."""
    code = str(value)[:3].upper()
    if code and not (len(code) == 2 and code.isascii() and code.isalpha()):
        raise InvalidInput("Give the country as its two-letter code, such as DE.", field=field)
    return code


def _line(limit: int, *, required: bool = False) -> Callable[[Any, str], str]:
    return lambda value, field: text_checks.line(value, field=field, limit=limit, required=required)


def _text(value: Any, field: str) -> str:
    return text_checks.text(value, field=field, limit=20_000)


def _one_of(allowed: frozenset[str], sentence: str) -> Callable[[Any, str], str]:
    def check(value: Any, field: str) -> str:
        if value not in allowed:
            raise InvalidInput(sentence, field=field)
        return str(value)

    return check


def _url(value: Any, field: str) -> str:
    address = text_checks.line(value, field=field, limit=2000, required=False)
    if address:
        try:
            URLValidator(schemes=["https", "http"])(address)
        except ValidationError:
            raise InvalidInput("Give the link as a full address, such as https://meet.example.org/room.", field=field) from None
    return address


def _moment(value: Any, field: str) -> datetime:
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise InvalidInput(f"Give {field.replace('_', ' ')} as a date and time with its offset.", field=field)
    return value


def _moment_or_none(value: Any, field: str) -> datetime | None:
    return None if value is None else _moment(value, field)


def _zone(value: Any, field: str) -> str:
    if not local_times.is_zone(value):
        raise InvalidInput("Give the time zone by its IANA name, such as Europe/Berlin.", field=field)
    return str(value)


def _whole(least: int, most: int, sentence: str) -> Callable[[Any, str], int]:
    def check(value: Any, field: str) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise InvalidInput(sentence, field=field)
        return value

    return check


def _yes_or_no(value: Any, field: str) -> bool:
    if not isinstance(value, bool):
        raise InvalidInput(f"Answer {field.replace('_', ' ')} with yes or no.", field=field)
    return value


def _credits(value: Any, field: str) -> Decimal:
    try:
        amount = Decimal(value)
    except (InvalidOperation, TypeError, ValueError):
        amount = Decimal(-1)
    if not amount.is_finite() or not 0 <= amount < 10_000 or amount != amount.quantize(Decimal("0.01")):
        raise InvalidInput("Give the credits as a number from 0 with at most two decimals.", field=field)
    return amount


def _terms(value: Any, field: str) -> list[dict[str, int]] | None:
    """None: the platform's terms; an empty list: no refunds."""
    if value is None:
        return None
    if not refund_terms.valid(value):
        raise InvalidInput("Give the refund terms as tiers of hours before the start and percent, later tiers giving less.", field=field)
    return list(value)


_CHECKS: dict[str, Callable[[Any, str], Any]] = {
    "title": _line(200, required=True),
    "description": _text,
    "format": _one_of(frozenset(Event.Format.values), "Choose in person, online or hybrid."),
    "venue": _line(300),
    "country": country,
    "online_url": _url,
    "starts_at": _moment,
    "ends_at": _moment,
    "time_zone": _zone,
    "capacity": _whole(1, MAX_CAPACITY, f"Give the capacity as a whole number from 1 to {MAX_CAPACITY}."),
    "price_amount": _whole(0, MAX_PRICE, "Give the price as a whole number of minor units, 0 for a free event."),
    "currency": _one_of(CURRENCIES, "Give the currency by its ISO code in capitals, such as EUR."),
    "tax_category": _line(30, required=True),
    "registration_opens_at": _moment_or_none,
    "registration_closes_at": _moment_or_none,
    "is_listed": _yes_or_no,
    "guests_allowed": _yes_or_no,
    "credit_type": _line(60),
    "credits": _credits,
    "refund_terms": _terms,
}
