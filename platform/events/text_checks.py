"""What a line or a text from a person may hold: any script and emoji, no control characters, no more than its length."""

import unicodedata

from core.errors import InvalidInput

_OVERRIDES = frozenset("\u202d\u202e")  # they turn the text around them; no language needs them to be written
_REFUSED = frozenset({"Cc", "Cs", "Zl", "Zp"})


def line(value: str, *, field: str, limit: int, required: bool = True) -> str:
    """One line without surrounding space, in NFC. limit: characters. Raises InvalidInput, with one sentence that says what to do."""
    if len(value) > 4 * limit:  # before any work on it: a megabyte is refused as cheaply as a word
        raise InvalidInput(f"Shorten the {_spoken(field)} to {limit} characters.", field=field)
    value = unicodedata.normalize("NFC", value).strip()
    if required and not value:
        raise InvalidInput(f"Give the {_spoken(field)}.", field=field)
    if len(value) > limit:
        raise InvalidInput(f"Shorten the {_spoken(field)} to {limit} characters.", field=field)
    if any(unicodedata.category(character) in _REFUSED or character in _OVERRIDES for character in value):
        raise InvalidInput(f"Write the {_spoken(field)} on one line, without control characters.", field=field)
    return value


def text(value: str, *, field: str, limit: int) -> str:
    """Several lines; tabs and line ends are kept. Raises InvalidInput."""
    if len(value) > limit:
        raise InvalidInput(f"Shorten the {_spoken(field)} to {limit} characters.", field=field)
    if any(unicodedata.category(character) in {"Cc", "Cs"} and character not in "\n\r\t" for character in value):
        raise InvalidInput(f"Remove the control characters from the {_spoken(field)}.", field=field)
    return value


def _spoken(field: str) -> str:
    return field.replace("_", " ")
