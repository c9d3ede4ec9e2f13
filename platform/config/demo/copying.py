"""Many rows at once with the times they had, by COPY: bulk_create would stamp every row with the time of the seed."""

from collections.abc import Sequence

from django.db import connection
from django.db.models import AutoField, Model


def copy_rows(rows: Sequence[Model]) -> None:
    """Insert rows of one model as they are; triggers and constraints see them like any other. Columns with a database default get it."""
    if not rows:
        return
    meta = type(rows[0])._meta
    fields = [field for field in meta.concrete_fields if not isinstance(field, AutoField) and not field.has_db_default()]
    columns = ", ".join(connection.ops.quote_name(str(field.column)) for field in fields)
    with connection.cursor() as cursor, cursor.copy(f"COPY {connection.ops.quote_name(meta.db_table)} ({columns}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row([field.get_db_prep_save(getattr(row, field.attname), connection) for field in fields])
