"""The one way from a model to rows that an actor may see; it fails closed."""

from typing import Any

from django.db.models import Model, QuerySet

from audit.actor import Actor

_platform: set[type[Model]] = set()
_through: dict[type[Model], str] = {}


def of_the_platform(model: type[Model]) -> None:
    """Declare a table without owners (jobs, schedules): staff see all of it, nobody else a row."""
    _platform.add(model)


def through(model: type[Model], foreign_key: str) -> None:
    """Declare a table whose rows are seen by whoever sees the row that `foreign_key` names."""
    _through[model] = foreign_key


def visible(model: type[Model], by: Actor) -> QuerySet[Any]:
    """The rows of `model` that the actor may see; none at all of a model that has no `visible_to` and is not declared above."""
    rows: Any = model._default_manager.all()
    if hasattr(rows, "visible_to"):
        mine: QuerySet[Any] = rows.visible_to(by)
        return mine
    if model in _through:
        owner: Any = model._meta.get_field(_through[model]).related_model
        seen: QuerySet[Any] = rows if by.sees_all else rows.filter(**{f"{_through[model]}__in": visible(owner, by).values("pk")})
        return seen
    return model._default_manager.all() if model in _platform and by.sees_all else model._default_manager.none()
