"""The search box above a list: words through the model's index, ids and keys exactly, related objects through theirs.

`search_fields` of an admin class say what is searched: "=key" is compared whole; "name" goes by words; "payment__email" looks at the
payment's words. Arms that an index answers are joined by OR; what matches elsewhere is looked up first, so that no join hides an index.
"""

from typing import Any

from django.db.models import Model, Q, QuerySet

from core import full_text

_MOST_RELATED = 1000  # beyond it a subquery is cheaper than a list of keys


def search(rows: QuerySet[Any], fields: tuple[str, ...], text: str) -> QuerySet[Any]:
    """The rows that the text finds; none where nothing can."""
    text = text.replace("\x00", "").strip()[:200]
    wanted, words = Q(), bool(full_text.terms_of(text))
    for field in fields:
        if field.startswith("="):
            wanted |= _exactly(rows.model, field[1:], text)
    if words and full_text.indexed(rows.model):
        rows = rows.alias(words_=full_text.Words(*full_text.indexed(rows.model)))
        wanted |= Q(words_=full_text.query(text))
    elif words:
        wanted |= _anywhere(fields, text)
    for relation in dict.fromkeys(field.rpartition("__")[0] for field in fields if "__" in field and not field.startswith("=")):
        if words:
            wanted |= _through(rows.model, relation, lambda related: full_text.matching(related, text))
    return rows.filter(wanted) if wanted else rows.none()


def _exactly(model: type[Model], field: str, text: str) -> Q:
    relation, _, name = field.rpartition("__")
    return _through(model, relation, lambda related: related.filter(**{name: text})) if relation else Q(**{name: text})


def _anywhere(fields: tuple[str, ...], text: str) -> Q:
    """In a small table without an index of words: every term anywhere in one of its own fields."""
    own = [field for field in fields if "__" not in field and not field.startswith("=")]
    wanted = Q()
    for term in full_text.terms_of(text) if own else ():
        found = Q()
        for field in own:
            found |= Q(**{f"{field}__icontains": term})
        wanted &= found
    return wanted


def _through(model: type[Model], relation: str, narrowed: Any) -> Q:
    """Rows whose related object is among those; the keys themselves where they are few."""
    related: Any = model
    for step in relation.split("__"):
        related = related._meta.get_field(step).related_model
    keys = narrowed(related._default_manager.order_by()).values_list("pk", flat=True)
    few = list(keys[: _MOST_RELATED + 1])
    return Q(**{f"{relation}__in": few if len(few) <= _MOST_RELATED else keys})
