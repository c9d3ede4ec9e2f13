"""A list as CSV, by PostgreSQL's own COPY: what filters and search show, no more than the actor may see, never held in memory."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import CharField, F, Func, Model, QuerySet, TextField
from django.http import StreamingHttpResponse
from django.utils import timezone

from accounts.models import User
from audit.actor import Actor
from audit.recording import record
from core.csv_cells import FORMULA
from core.errors import DomainError
from core.money import CURRENCIES, exponent
from core.public_ids import encode
from organizations.permissions import Permission, require

MOST = 100_000
CHUNK = 64 * 1024
BOM = "\ufeff"  # tells Excel that this is UTF-8
_UUID = 36
_BEGINS = ", ".join(str(ord(sign)) for sign in FORMULA)


class ExportTooLarge(DomainError):
    code, http_status = "EXPORT_TOO_LARGE", 422

    def __init__(self) -> None:
        super().__init__(f"An export holds at most {MOST:,} rows; narrow the list with its filters and export in parts.")


class _Safe(Func):
    """Text that no spreadsheet takes for a formula: an apostrophe before what would begin one."""

    template = f"(CASE WHEN ascii(%(expressions)s) IN ({_BEGINS}) THEN '''' || %(expressions)s ELSE %(expressions)s END)"
    output_field = TextField()


def _in(digits: int) -> str:
    return ", ".join(f"'{currency}'" for currency in sorted(CURRENCIES) if exponent(currency) == digits)


class _Major(Func):
    """Minor units and their currency as a decimal number."""

    arity = 2
    output_field = CharField()

    def as_sql(
        self,
        compiler: Any,
        connection: Any,
        function: str | None = None,
        template: str | None = None,
        arg_joiner: str | None = None,
        **extra_context: Any,
    ) -> tuple[str, tuple[Any, ...]]:
        (amount, first), (currency, second) = (compiler.compile(one) for one in self.source_expressions)
        sql = (
            f"(CASE WHEN {currency} IN ({_in(0)}) THEN {amount}::text WHEN {currency} IN ({_in(3)}) "
            f"THEN round({amount} / 1000.0, 3)::text ELSE round({amount} / 100.0, 2)::text END)"
        )
        return sql, (*second, *first, *second, *first, *first)


class _Moment(Func):
    """ISO 8601 in UTC."""

    template = """to_char(%(expressions)s AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')"""
    output_field = CharField()


@dataclass(frozen=True, slots=True)
class Column:
    """name: as in organizer_hides, so that a column says nothing in a console of one organization where its list column does not."""

    header: str
    expression: Callable[[], Any]
    name: str = ""


def text(path: str, header: str, *, name: str = "") -> Column:
    return Column(header, lambda: _Safe(F(path)), name)


def number(path: str, header: str) -> Column:
    return Column(header, lambda: F(path))


def moment(path: str, header: str) -> Column:
    return Column(header, lambda: _Moment(F(path)))


def money(path: str, header: str, *, currency: str = "currency") -> Column:
    return Column(header, lambda: _Major(F(path), F(currency)))


@transaction.atomic
def start(*, rows: QuerySet[Any], columns: Iterable[Column], filters: str, by: Actor) -> Iterator[bytes]:
    """The file in pieces; that it was asked for is in the audit log on return, before the first piece.

    rows: scoped to the actor, filtered, in the list's order. filters: the list's query as it was.
    Raises PermissionRefused, StepUpRequired, ExportTooLarge.
    """
    require(by, Permission.LIST_EXPORT)
    model: type[Model] = rows.model
    count = rows.order_by()[: MOST + 1].count()
    if count > MOST:
        raise ExportTooLarge
    after = {"list": model._meta.label_lower, "rows": count, "filters": filters[:1000]}
    record(User(pk=by.user_id), "list.exported", by=by, organization_id=by.organization_id, after=after)
    return _pieces(rows, list(columns))


def _pieces(rows: QuerySet[Any], columns: list[Column]) -> Iterator[bytes]:
    """PostgreSQL sends one message per row, which begins with the key: it is shown as everywhere else."""
    prefix = getattr(rows.model, "public_prefix", "")
    header = ",".join(["Id", *(column.header for column in columns)])
    yield f"{BOM}{header}\n".encode()
    selected = rows.values_list("pk", *(column.expression() for column in columns))[:MOST]
    sql, parameters = selected.query.sql_with_params()
    piece = bytearray()
    with connection.cursor() as cursor, cursor.copy(f"COPY ({sql}) TO STDOUT WITH (FORMAT csv)", parameters) as copy:
        for row in copy:
            line = bytes(row)
            piece += encode(prefix, UUID(line[:_UUID].decode())).encode() + line[_UUID:] if prefix else line
            if len(piece) >= CHUNK:
                yield bytes(piece)
                piece.clear()
    if piece:
        yield bytes(piece)


def download(pieces: Iterator[bytes], model: type[Model]) -> StreamingHttpResponse:
    """The name is made here: nothing that somebody typed is in it."""
    response = StreamingHttpResponse(pieces, content_type="text/csv; charset=utf-8")
    name = f"{model._meta.model_name}s-{timezone.now():%Y-%m-%d}.csv"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Cache-Control"] = "private, no-store"
    return response
