"""Keys of demo rows: uuid7 as everywhere, but made of a moment and a name, so that a second seed makes the same ones."""

from datetime import datetime
from hashlib import sha256
from uuid import UUID


def key(at: datetime, *name: object) -> UUID:
    """The key of what `name` stands for; sorts by `at`, as a key that was made then would."""
    digest = int.from_bytes(sha256("/".join(str(part) for part in name).encode()).digest()[:10])
    milliseconds = int(at.timestamp() * 1000)
    return UUID(int=milliseconds << 80 | 0x7 << 76 | (digest >> 62 & 0xFFF) << 64 | 0b10 << 62 | digest & (1 << 62) - 1)
