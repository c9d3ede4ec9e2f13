"""What a route accepts, and Stripe's errors for what it does not. Every field reads one decoded form value."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from sandbox.stripe.errors import StripeError, invalid, parameter_missing, parameter_unknown

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


@dataclass(frozen=True, kw_only=True)
class Field:
    required: bool = False
    clearable: bool = False  # an empty string unsets the value

    def read(self, raw: Any, param: str) -> Any:
        """The typed value of `raw`; an empty string is None where the field can be unset. Raises StripeError."""
        if raw == "":
            if self.clearable:
                return None
            raise empty(param)
        return self.parse(raw, param)

    def parse(self, raw: Any, param: str) -> Any:
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Text(Field):
    longest: int = 5000
    choices: tuple[str, ...] = ()

    def parse(self, raw: Any, param: str) -> str:
        if not isinstance(raw, str):
            raise invalid(f"Invalid string: {raw}", param=param, stored=False)
        if len(raw) > self.longest:
            message = f"Invalid string: {raw[:20]}...; must be at most {self.longest} characters"
            raise invalid(message, param=param, code="parameter_invalid_string_too_long", stored=False)
        if self.choices and raw not in self.choices:
            raise invalid(f"Invalid {param}: must be one of {', '.join(self.choices)}", param=param, stored=False)
        return raw


@dataclass(frozen=True, kw_only=True)
class Email(Text):
    longest: int = 512

    def parse(self, raw: Any, param: str) -> str:
        email = super().parse(raw, param)
        if not _EMAIL.fullmatch(email):
            raise invalid(f"Invalid email address: {email}", param=param, code="email_invalid", stored=False)
        return email


@dataclass(frozen=True, kw_only=True)
class Url(Text):
    def parse(self, raw: Any, param: str) -> str:
        url = super().parse(raw, param)
        if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
            message = "Invalid URL: An explicit scheme (such as https) must be provided."
            raise invalid(message, param=param, code="url_invalid", stored=False)
        return url


@dataclass(frozen=True, kw_only=True)
class Whole(Field):
    """An integer."""

    least: int | None = None

    def parse(self, raw: Any, param: str) -> int:
        digits = raw[1:] if isinstance(raw, str) and raw.startswith("-") else raw
        if not isinstance(digits, str) or not (digits.isascii() and digits.isdigit()) or len(digits) > 18:
            raise invalid(f"Invalid integer: {raw}", param=param, code="parameter_invalid_integer", stored=False)
        value = int(raw)
        if self.least is not None and value < self.least:
            message = f"This value must be greater than or equal to {self.least}."
            raise invalid(message, param=param, code="parameter_invalid_integer", stored=False)
        return value


@dataclass(frozen=True, kw_only=True)
class Flag(Field):
    def parse(self, raw: Any, param: str) -> bool:
        if raw not in ("true", "false"):
            raise invalid(f"Invalid boolean: {raw}", param=param, stored=False)
        return bool(raw == "true")


@dataclass(frozen=True, kw_only=True)
class Anything(Field):
    """Taken as it comes: this stand-in knows it and does nothing with it."""

    def parse(self, raw: Any, param: str) -> Any:
        return raw


@dataclass(frozen=True, kw_only=True)
class Record(Field):
    """A nested object with known keys."""

    fields: Mapping[str, Field]

    def parse(self, raw: Any, param: str) -> dict[str, Any]:
        if not isinstance(raw, dict):
            raise _not_an_object(param)
        return read(self.fields, raw, prefix=param)


@dataclass(frozen=True, kw_only=True)
class ListOf(Field):
    field: Field
    most: int = 100

    def parse(self, raw: Any, param: str) -> list[Any]:
        if not isinstance(raw, list):
            raise invalid("Invalid array", param=param, stored=False)
        if len(raw) > self.most:
            raise invalid(f"Too many elements in array: at most {self.most} are allowed", param=param, stored=False)
        return [self.field.read(item, f"{param}[{index}]") for index, item in enumerate(raw)]


@dataclass(frozen=True, kw_only=True)
class Pairs(Field):
    """Metadata: at most 50 keys of at most 40 characters with values of at most 500; an empty value removes the key."""

    clearable: bool = True

    def parse(self, raw: Any, param: str) -> dict[str, str]:
        pairs = dict(enumerate(raw)) if isinstance(raw, list) else raw
        if not isinstance(pairs, dict):
            raise _not_an_object(param)
        out: dict[str, str] = {}
        for key, value in pairs.items():
            name = str(key)
            if not isinstance(value, str):
                raise invalid("Metadata values must be strings", param=f"{param}[{name}]", stored=False)
            if len(name) > 40 or len(value) > 500:
                longest = "keys must be at most 40" if len(name) > 40 else "values must be at most 500"
                raise invalid(f"Metadata {longest} characters", param=f"{param}[{name}]", stored=False)
            out[name] = value
        if len(out) > 50:
            raise invalid("You can only set up to 50 metadata keys", param=param, stored=False)
        return out


@dataclass(frozen=True, kw_only=True)
class Moment(Field):
    """A timestamp, or a range of them: {gt, gte, lt, lte}."""

    def parse(self, raw: Any, param: str) -> dict[str, int]:
        whole = Whole()
        if isinstance(raw, dict):
            return read({"gt": whole, "gte": whole, "lt": whole, "lte": whole}, raw, prefix=param)
        at = whole.parse(raw, param)
        return {"gte": at, "lte": at}


type Fields = Mapping[str, Field]

EXPAND = ListOf(field=Text())
METADATA = Pairs()
PAGE: Fields = {"limit": Whole(), "starting_after": Text(), "ending_before": Text(), "expand": EXPAND}


def read(fields: Fields, raw: dict[str, Any], *, prefix: str = "") -> dict[str, Any]:
    """The typed parameters that were given. Raises Stripe's errors for unknown, wrong and missing ones."""
    out: dict[str, Any] = {}
    for name, value in raw.items():
        param = f"{prefix}[{name}]" if prefix else name
        if name not in fields:
            raise parameter_unknown(param)
        out[name] = fields[name].read(value, param)
    for name, field in fields.items():
        if field.required and name not in out:
            raise parameter_missing(f"{prefix}[{name}]" if prefix else name)
    return out


def merged_metadata(stored: dict[str, str], given: dict[str, str] | None) -> dict[str, str]:
    """Stripe's merge: given keys replace stored ones, an empty value removes one, null (an empty parameter) removes all."""
    if given is None:
        return {}
    return {key: value for key, value in {**stored, **given}.items() if value != ""}


def empty(param: str) -> StripeError:
    message = (
        f"You passed an empty string for '{param}'. We assume empty values are an attempt to unset a parameter; however "
        f"'{param}' cannot be unset. You should remove '{param}' from your request or supply a non-empty value."
    )
    return invalid(message, param=param, code="parameter_invalid_empty", stored=False)


def _not_an_object(param: str) -> StripeError:
    return invalid("Invalid object", param=param, stored=False)
