"""The fields of a code one by one, and together: the database holds the same rules."""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from core.errors import InvalidInput
from core.money import CURRENCIES, step
from core.public_ids import decode
from events import text_checks
from events.models import Event
from promo_codes import spelling
from promo_codes.models import PromoCode

MAX_AMOUNT = 99_999_999
MAX_USES = 1_000_000
MOST_SUBJECTS = 100


def cleaned(values: dict[str, Any], *, organization_id: UUID) -> dict[str, Any]:
    """The values as they are stored, the compared spelling with the code. Raises InvalidInput for the first that cannot be."""
    unknown = values.keys() - _CHECKS.keys() - {"subjects"}
    if unknown:
        raise InvalidInput(f"A promo code has no field “{min(unknown)}” that can be set.", field=min(unknown))
    found = {name: _CHECKS[name](value, name) for name, value in values.items() if name != "subjects"}
    if "code" in found:
        found["key"] = spelling.key_of(found["code"])
    if "subjects" in values:
        found["subjects"] = _subjects(values["subjects"], organization_id)
    return found


def consistent(code: PromoCode) -> None:
    """Raise InvalidInput where fields contradict each other."""
    if code.kind == PromoCode.Kind.PERCENT:
        _require(code.basis_points is not None, "Give the percentage.", "basis_points")
        _require(code.amount is None, "A code of percent takes no fixed amount off; leave one of the two out.", "amount")
    else:
        _require(code.amount is not None, "Give the amount that it takes off.", "amount")
        _require(code.basis_points is None, "A code of a fixed amount has no percentage; leave one of the two out.", "basis_points")
        _require(code.cap_amount is None, "A fixed amount needs no cap; leave the cap out.", "cap_amount")
    if code.starts_at and code.ends_at:
        _require(code.ends_at > code.starts_at, "The code must end after it begins.", "ends_at")
    amounts = [name for name in ("amount", "cap_amount", "minimum_amount") if getattr(code, name) is not None]
    if not amounts:
        _require(code.currency == "", "A currency is needed only where an amount is; leave the currency out.", "currency")
        return
    _require(code.currency != "", "Choose the currency of the amounts.", "currency")
    for name in amounts:
        smallest = step(code.currency)
        _require(getattr(code, name) % smallest == 0, f"Amounts in {code.currency} go in steps of {smallest} minor units.", name)


def _require(holds: bool, sentence: str, field: str) -> None:
    if not holds:
        raise InvalidInput(sentence, field=field)


def events_of(code: PromoCode) -> list[Event]:
    return list(Event.objects.filter(pk__in=[decode(Event.public_prefix, subject) for subject in code.subjects]))


def _subjects(given: Any, organization_id: UUID) -> list[str]:
    """Each event of the organization once, in the order given."""
    if not isinstance(given, (list, tuple)) or len(given) > MOST_SUBJECTS:
        raise InvalidInput(f"Name at most {MOST_SUBJECTS} events, or none for all.", field="subjects")
    wanted = list(dict.fromkeys(given))
    try:
        keys = [decode(Event.public_prefix, subject) for subject in wanted]
    except (ValueError, AttributeError):
        keys = []
    if len(keys) != len(wanted) or Event.objects.filter(pk__in=keys, organization_id=organization_id).count() != len(keys):
        raise InvalidInput("Name events of the organization by their ids, such as evt_01…; one of these is none.", field="subjects")
    return wanted


def _whole(least: int, most: int, what: str) -> Callable[[Any, str], int | None]:
    def check(value: Any, field: str) -> int | None:
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most):
            raise InvalidInput(f"Give {what}.", field=field)
        return value

    return check


def _moment(value: Any, field: str) -> datetime | None:
    if value is not None and (not isinstance(value, datetime) or value.tzinfo is None):
        raise InvalidInput(f"Give {field.replace('_', ' ')} as a date and time with its offset.", field=field)
    return value


def _kind(value: Any, field: str) -> str:
    if value not in PromoCode.Kind.values:
        raise InvalidInput("Choose percent or fixed.", field=field)
    return str(value)


def _currency(value: Any, field: str) -> str:
    if value and value not in CURRENCIES:
        raise InvalidInput("Give the currency by its ISO code in capitals, such as EUR.", field=field)
    return str(value or "")


def _yes_or_no(value: Any, field: str) -> bool:
    if not isinstance(value, bool):
        raise InvalidInput(f"Answer {field.replace('_', ' ')} with yes or no.", field=field)
    return value


_amount = _whole(1, MAX_AMOUNT, "the amount as a number above 0 that one card payment can be, or none")
_uses = _whole(1, MAX_USES, f"how often as a whole number from 1 to {MAX_USES:,}, or nothing for no limit")
_CHECKS: dict[str, Callable[[Any, str], Any]] = {
    "code": lambda value, field: spelling.checked(value),
    "description": lambda value, field: text_checks.line(value, field=field, limit=200, required=False),
    "kind": _kind,
    "basis_points": _whole(1, 10_000, "the percentage as a number above 0 and up to 100, with at most two decimals"),
    "amount": _amount,
    "cap_amount": _amount,
    "minimum_amount": _amount,
    "currency": _currency,
    "starts_at": _moment,
    "ends_at": _moment,
    "max_uses": _uses,
    "max_uses_per_person": _uses,
    "first_time_only": _yes_or_no,
}
