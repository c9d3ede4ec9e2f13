"""A statement as people take it away: CSV with every movement, PDF with the sums."""

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from billing import payout_statements
from billing.models import PayoutStatement
from core.csv_cells import safe
from core.money import Money
from typesetting import rendering

_RESIDUAL = "Held at Stripe, not explained yet"


def csv_rows(statement: PayoutStatement) -> Iterator[str]:
    """Lines of the CSV; amounts in major units, opening + movements = closing."""
    currency = statement.currency
    yield _line(["Date", "What", "Reference", "Description", f"Amount {currency}"])
    yield _line(["", "Opening", "", "", _major(statement, statement.opening)])
    for at, kind, reference, description, amount in payout_statements.movements(statement):
        yield _line([f"{at.astimezone(UTC):%Y-%m-%d}", kind, safe(reference), safe(description), _major(statement, amount)])
    yield _line(["", "Closing", "", "", _major(statement, statement.closing)])
    if statement.residual:
        yield _line(["", _RESIDUAL, "", "", _major(statement, statement.residual)])


def _line(cells: list[str]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow(cells)
    return out.getvalue()


def _major(statement: PayoutStatement, amount: int) -> str:
    return str(Money(amount, statement.currency).major)


def pdf(statement: PayoutStatement) -> bytes:
    """The same bytes each time: the statement never changes."""
    payout = statement.payout_request
    lines = [["Opening", _shown(statement, statement.opening)]]
    lines += [[what, _shown(statement, amount)] for what, amount in payout_statements.sums(statement)]
    data: dict[str, Any] = {
        "title": "Payout statement",
        "facts": [
            ["Organization", payout.organization.name],
            ["Payout", f"{payout.public_id}, {payout.money}"],
            ["At Stripe", payout.stripe_payout_id or ""],
            ["Paid", _day(payout.paid_at)],
            ["Period", f"{_day(statement.period_from) or 'the beginning'} to {_day(statement.period_to)}"],
        ],
        "author": payout.organization.name,
        "head": ["Earnings", statement.currency],
        "lines": lines,
        "total": ["Closing", _shown(statement, statement.closing)],
        "notes": [f"{_RESIDUAL}: {_shown(statement, statement.residual)}."] if statement.residual else [],
        "foot": statement.public_id,
    }
    return rendering.render("statement", data, at=statement.period_to.replace(microsecond=0))


def _shown(statement: PayoutStatement, amount: int) -> str:
    return str(Money(amount, statement.currency))


def _day(at: datetime | None) -> str:
    return f"{at.astimezone(UTC).day} {at.astimezone(UTC):%B %Y}" if at else ""
