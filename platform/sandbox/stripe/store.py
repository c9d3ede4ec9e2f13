"""State in one SQLite database: a file that survives restart and kill -9, or memory.

Objects are kept as Stripe shows them, references as ids. One thread at a time uses a store: the caller holds the world's lock.
"""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sandbox.stripe.errors import Json, missing_resource

_SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE, kind TEXT, created INTEGER, body TEXT);
CREATE INDEX IF NOT EXISTS objects_by_age ON objects (kind, created, number);
CREATE INDEX IF NOT EXISTS objects_by_payment_intent ON objects (kind, json_extract(body, '$.payment_intent'))
    WHERE json_extract(body, '$.payment_intent') IS NOT NULL;
CREATE INDEX IF NOT EXISTS objects_by_charge ON objects (kind, json_extract(body, '$.charge'))
    WHERE json_extract(body, '$.charge') IS NOT NULL;
CREATE INDEX IF NOT EXISTS objects_by_source ON objects (kind, json_extract(body, '$.source'))
    WHERE json_extract(body, '$.source') IS NOT NULL;
CREATE INDEX IF NOT EXISTS objects_by_customer ON objects (kind, json_extract(body, '$.customer'))
    WHERE json_extract(body, '$.customer') IS NOT NULL;
CREATE TABLE IF NOT EXISTS money (id TEXT PRIMARY KEY, currency TEXT, net INTEGER, available_on INTEGER, account TEXT DEFAULT '');
CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value INTEGER);
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT);
CREATE TABLE IF NOT EXISTS due (number INTEGER PRIMARY KEY AUTOINCREMENT, at REAL, task TEXT, subject TEXT);
CREATE INDEX IF NOT EXISTS due_by_time ON due (at, number);
CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, at REAL, fingerprint TEXT, status INTEGER, body TEXT, request TEXT);
CREATE TABLE IF NOT EXISTS faults (number INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT);
CREATE TABLE IF NOT EXISTS deliveries (
    number INTEGER PRIMARY KEY AUTOINCREMENT, event TEXT, endpoint TEXT, state TEXT, manner TEXT, attempts INTEGER,
    next_at REAL, position INTEGER, responses TEXT);
CREATE INDEX IF NOT EXISTS deliveries_waiting ON deliveries (state, next_at, position);
CREATE INDEX IF NOT EXISTS deliveries_by_event ON deliveries (event);
"""
_REFERENCES = ("payment_intent", "charge", "source", "customer")  # the fields that have an index
_TABLES = ("objects", "money", "counters", "settings", "due", "answers", "faults", "deliveries")


class Store:
    def __init__(self, path: Path | None, *, synchronous: str = "NORMAL") -> None:
        """path None: memory. WAL keeps what was committed through kill -9 whatever `synchronous` is; FULL also through a power cut."""
        if path:
            path.parent.mkdir(parents=True, exist_ok=True)
        self.sql = sqlite3.connect(path or ":memory:", isolation_level=None, check_same_thread=False)
        self.sql.execute("PRAGMA journal_mode=WAL")
        self.sql.execute(f"PRAGMA synchronous={synchronous}")
        self.sql.executescript(_SCHEMA)

    def close(self) -> None:
        self.sql.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything inside is kept together or not at all."""
        self.sql.execute("BEGIN IMMEDIATE")
        done = False
        try:
            yield
            done = True
        finally:
            self.sql.execute("COMMIT" if done else "ROLLBACK")

    def wipe(self) -> None:
        for table in _TABLES:
            self.sql.execute(f"DELETE FROM {table}")  # a name from the constant above

    def next_number(self, name: str) -> int:
        row = self.sql.execute(
            "INSERT INTO counters VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value", (name,)
        ).fetchone()
        return int(row[0])

    def setting(self, name: str, default: Any = None) -> Any:
        row = self.sql.execute("SELECT value FROM settings WHERE name = ?", (name,)).fetchone()
        return default if row is None else json.loads(row[0])

    def set_setting(self, name: str, value: Any) -> None:
        self.sql.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, json.dumps(value)))

    def insert(self, obj: Json, *, account: str = "") -> Json:
        kind = f"{account}/{obj['object']}" if account else obj["object"]
        self.sql.execute(
            "INSERT INTO objects (id, kind, created, body) VALUES (?, ?, ?, ?)", (obj["id"], kind, obj["created"], json.dumps(obj))
        )
        return obj

    def named(self, object_id: str) -> Json | None:
        """The object, whosever it is."""
        row = self.sql.execute("SELECT body FROM objects WHERE id = ?", (object_id,)).fetchone()
        return None if row is None else _object(row[0])

    def save(self, obj: Json) -> Json:
        self.sql.execute("UPDATE objects SET body = ? WHERE id = ?", (json.dumps(obj), obj["id"]))
        return obj

    def delete(self, object_id: str) -> None:
        self.sql.execute("DELETE FROM objects WHERE id = ?", (object_id,))

    def find(self, kind: str, object_id: str | None) -> Json | None:
        row = self.sql.execute("SELECT body FROM objects WHERE id = ? AND kind = ?", (object_id, kind)).fetchone()
        return None if row is None else _object(row[0])

    def get(self, kind: str, object_id: str) -> Json:
        """The object, known to exist."""
        found = self.find(kind, object_id)
        if found is None:
            raise LookupError(f"{kind} {object_id} vanished")
        return found

    def require(self, kind: str, object_id: str, *, param: str = "id") -> Json:
        """The object a caller named. Raises Stripe's resource_missing: 404 for the path's id, 400 for a parameter's."""
        found = self.find(kind, object_id)
        if found is None:
            noun = {"payment_method": "PaymentMethod", "checkout.session": "checkout.session"}.get(kind, kind)
            raise missing_resource(noun, object_id, param=param, status=404 if param == "id" else 400)
        return found

    def age(self, object_id: str) -> tuple[int, int] | None:
        """(created, number): where an object stands in its list."""
        row = self.sql.execute("SELECT created, number FROM objects WHERE id = ?", (object_id,)).fetchone()
        return None if row is None else (int(row[0]), int(row[1]))

    def select(
        self, kind: str, where: str = "", values: Sequence[object] = (), *, newest_first: bool = True, limit: int = -1
    ) -> list[Json]:
        """Objects of a kind; `where` is SQL of this package, never a caller's text."""
        order = "DESC" if newest_first else "ASC"
        few = "+" if any(f"'$.{name}'" in where for name in _REFERENCES) else ""  # a plus makes SQLite look up by reference, then sort
        text = f"SELECT body FROM objects WHERE kind = ? {where} ORDER BY {few}created {order}, {few}number {order} LIMIT ?"
        return [_object(row[0]) for row in self.sql.execute(text, (kind, *values, limit))]


def _object(text: str) -> Json:
    body: Json = json.loads(text)
    return body
