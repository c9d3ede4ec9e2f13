"""Pages by keyset: a cursor names the last row of a page, is signed, and works only for the list and the order that gave it."""

from typing import Annotated, Any
from uuid import UUID

from django.core.signing import BadSignature, Signer
from django.db.models import QuerySet
from ninja import Schema
from pydantic import Field, StringConstraints

from core.errors import DomainError
from public_api.error_codes import Code

MAX_LIMIT = 100
Cursor = Annotated[str, StringConstraints(max_length=600)]
Limit = Annotated[int, Field(ge=1, le=MAX_LIMIT)]


class InvalidCursor(DomainError):
    code, http_status = Code.INVALID_CURSOR, 422

    def __init__(self) -> None:
        super().__init__("This cursor was not given by this list in this order; start again without one.")


def cursor_for(*, listing: str, values: list[Any]) -> str:
    """listing: which list, in which order; values: the last row's sort key, JSON-safe."""
    return Signer(salt=f"cursor:{listing}").sign_object(values, compress=False)


def read_cursor(text: str, *, listing: str) -> list[Any]:
    """The sort key that `cursor_for` was given. Raises InvalidCursor for anything else."""
    try:
        values = Signer(salt=f"cursor:{listing}").unsign_object(text)
    except (BadSignature, ValueError) as error:
        raise InvalidCursor from error
    if not isinstance(values, list):
        raise InvalidCursor
    return values


class Page(Schema):
    """cursor: the `next` of the page before."""

    cursor: Cursor | None = None
    limit: Limit = 20


def keyset_page(rows: QuerySet[Any, Any], page: Page, *, listing: str) -> tuple[list[Any], str | None]:
    """One page of rows, the latest first, and the cursor of the next. rows: models, or tuples that begin with the id."""
    if page.cursor is not None:
        try:
            rows = rows.filter(pk__lt=UUID(read_cursor(page.cursor, listing=listing)[0]))
        except (ValueError, TypeError, AttributeError, IndexError) as error:
            raise InvalidCursor from error
    found = list(rows.order_by("-pk")[: page.limit + 1])
    shown = found[: page.limit]
    if len(found) <= page.limit:
        return shown, None
    last = shown[-1][0] if isinstance(shown[-1], tuple) else shown[-1].pk
    return shown, cursor_for(listing=listing, values=[last.hex])
