"""Keys and how they are shown: uuid7 in the database, `evt_01kahx…` (26 Crockford base32 characters, the TypeID format) outside."""

from uuid import UUID

import uuid_utils.compat

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_INDEX = {character: value for value, character in enumerate(ALPHABET)}
_LENGTH = 26
_PAIRS = [first + second for first in ALPHABET for second in ALPHABET]  # two characters at once: ids are made for every row shown


def uuid7() -> UUID:
    """A new key; later keys sort after earlier ones."""
    return uuid_utils.compat.uuid7()


def encode(prefix: str, key: UUID) -> str:
    number, pairs = key.int, []
    for _ in range(_LENGTH // 2):
        pairs.append(_PAIRS[number & 1023])
        number >>= 10
    return f"{prefix}_{''.join(reversed(pairs))}"


def decode(prefix: str, text: str) -> UUID:
    """The key that `encode` made this text from. Raises ValueError on anything but the one spelling of an id of this type."""
    head, separator, tail = text.rpartition("_")
    if not separator or head != prefix or len(tail) != _LENGTH or tail[0] > "7":
        raise ValueError(f"not a {prefix} id")
    number = 0
    for character in tail:
        if character not in _INDEX:
            raise ValueError(f"not a {prefix} id")
        number = number * 32 + _INDEX[character]
    return UUID(int=number)
