"""Finding rows by words: an index over the words of some text columns, and the search that uses it.

Words are lower case and split at every sign, addresses too, so "example.org" finds everybody there. A term matches the beginning of a
word. PostgreSQL's own text search does it, in the configuration that knows no language: pg_trgm is not in the embedded server.
"""

import re
from typing import Any

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchQuery, SearchVectorField
from django.db.models import Func, Model, QuerySet

_TERM = re.compile(r"[^\W_]+")
_MOST_TERMS = 8


class Words(Func):
    """The words of these columns, for a GinIndex and for `matching`; both must name the same columns in the same order."""

    output_field = SearchVectorField()

    def as_sql(self, compiler: Any, connection: Any, *_: Any, **__: Any) -> tuple[str, Any]:
        parts: list[str] = []
        params: list[Any] = []
        for source in self.get_source_expressions():
            sql, found = compiler.compile(source)
            parts.append(f"coalesce({sql}, '')")
            params += found
        text = " || ' ' || ".join(parts)
        return f"to_tsvector('simple'::regconfig, translate({text}, '@.-_+/:', '       '))", tuple(params)


def indexed(model: type[Model]) -> tuple[str, ...]:
    """The columns whose words the model's index holds; none where it has no such index."""
    for index in model._meta.indexes:
        for expression in index.expressions if isinstance(index, GinIndex) else ():
            if isinstance(expression, Words):
                return tuple(source.name for source in expression.get_source_expressions())
    return ()


def terms_of(text: str) -> list[str]:
    return _TERM.findall(text)[:_MOST_TERMS]


def query(text: str) -> SearchQuery:
    """What begins a word for every term of the text. Raises ValueError where it has no term."""
    terms = terms_of(text)
    if not terms:
        raise ValueError("a text without a word")
    return SearchQuery(" & ".join(f"{term}:*" for term in terms), config="simple", search_type="raw")


def matching[Q: QuerySet[Any]](rows: Q, text: str) -> Q:
    """The rows in whose indexed columns every term begins a word; none where the text has no term."""
    if not terms_of(text):
        return rows.none()
    return rows.alias(words_=Words(*indexed(rows.model))).filter(words_=query(text))
