"""Rows by who may see them. Organizations stand above this app, so an actor's memberships are read from the actor."""

from typing import TYPE_CHECKING, Any, Self

from django.db import models

from audit.actor import Actor

if TYPE_CHECKING:
    from entitlements.models import Allowance, Grant, UsageDrift, UsageWarning


def _seen[Q_: models.QuerySet[Any]](rows: Q_, by: Actor, organization: str) -> Q_:
    if by.sees_all:
        return rows
    mine = rows.filter(**{f"{organization}__in": by.organization_ids})
    return mine if by.organization_id is None else mine.filter(**{organization: by.organization_id})


class GrantQuerySet(models.QuerySet["Grant"]):
    def visible_to(self, by: Actor) -> Self:
        return _seen(self, by, "organization_id")


class AllowanceQuerySet(models.QuerySet["Allowance"]):
    def visible_to(self, by: Actor) -> Self:
        return _seen(self, by, "grant__organization_id")


class UsageWarningQuerySet(models.QuerySet["UsageWarning"]):
    def unsent(self) -> Self:
        return self.filter(sent_at=None)


class UsageDriftQuerySet(models.QuerySet["UsageDrift"]):
    def visible_to(self, by: Actor) -> Self:
        return self if by.sees_all else self.none()
