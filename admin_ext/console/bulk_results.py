"""The result of a bulk run as CSV: row by row from the database, safe to open in a spreadsheet."""

import csv
from collections.abc import Iterator
from typing import Any

from django.http import StreamingHttpResponse

from admin_ext.console.bulk_kinds import kind_of
from admin_ext.models import BulkItem, BulkRun
from core.csv_cells import safe
from core.public_ids import encode

HEADER = ("row", "id", "object", "state", "planned", "result", "amount", "currency", "finished_at", "detail")


class _Line:
    """What csv.writer writes to: it hands each line straight on."""

    def write(self, text: str) -> str:
        return text


def lines(run: BulkRun) -> Iterator[str]:
    writer = csv.writer(_Line())
    prefix = getattr(kind_of(run.kind).model, "public_prefix", "")
    yield "\ufeff" + writer.writerow(HEADER)  # the mark tells Excel that this is UTF-8
    for item in run.items.order_by("position").iterator(chunk_size=2000):
        yield writer.writerow([safe(value) for value in _cells(item, prefix)])


def _cells(item: BulkItem, prefix: str) -> list[Any]:
    money = item.money
    return [
        item.position,
        encode(prefix, item.object_id) if prefix else str(item.object_id),
        item.label,
        item.get_state_display(),
        item.effect,
        item.message,
        str(money.major) if money else "",
        item.currency,
        item.finished_at.isoformat() if item.finished_at else "",
        item.detail,
    ]


def download(run: BulkRun) -> StreamingHttpResponse:
    response = StreamingHttpResponse(lines(run), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{run.public_id}.csv"'
    return response
