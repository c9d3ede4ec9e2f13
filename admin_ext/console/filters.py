"""List filters whose choices show no foreign row."""

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import (
    AutocompleteSelectFilter,
    BooleanRadioFilter,
    ChoicesDropdownFilter,
    DropdownFilter,
    MultipleChoicesDropdownFilter,
    RangeDateFilter,
)
from unfold.utils import parse_date_str

from admin_ext.console.scope import visible
from core import jobs
from ledger.chart import CHART


class RelatedFilter(AutocompleteSelectFilter):  # type: ignore[misc]
    """Asks while one types, through the scoped autocomplete; the chosen one is shown only where the actor may see it."""

    def choices(self, changelist: Any) -> Iterator[Any]:
        mine = visible(self.field.remote_field.model, self.model_admin.actor(self.request))
        for choice in super().choices(changelist):
            choice["form"].fields[self.lookup_kwarg].queryset = mine
            yield choice


class States(MultipleChoicesDropdownFilter):  # type: ignore[misc]
    """One or several states."""


class MomentRange(RangeDateFilter):  # type: ignore[misc]
    """From one day to another, both included, in UTC."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any] | None:
        """The upper day counts whole: Unfold compares a moment with the day's midnight and would leave the day out."""
        last = self.used_parameters.get(f"{self.parameter_name}_to")
        first = self.used_parameters.get(f"{self.parameter_name}_from")
        for value, lookup in ((first, "date__gte"), (last, "date__lte")):
            day = parse(value)
            if day is not None:
                queryset = queryset.filter(**{f"{self.parameter_name}__{lookup}": day})
        return queryset


def parse(value: Any) -> Any:

    return parse_date_str(value) if isinstance(value, str) and value else None


class YesNo(BooleanRadioFilter):  # type: ignore[misc]
    """Yes, no, or both."""


class Currency(DropdownFilter):  # type: ignore[misc]
    """One of the currencies that are sold in."""

    title, parameter_name = "currency", "currency"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(currency, currency) for currency in settings.SETTLEMENT_CURRENCIES]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(currency=self.value()) if self.value() else queryset


class AccountOfChart(DropdownFilter):  # type: ignore[misc]
    """One account of the chart, all its owners."""

    title, parameter_name = "account", "account"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(code, code.replace("_", " ")) for code in CHART]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(account=self.value()) if self.value() else queryset


class Queue(DropdownFilter):  # type: ignore[misc]
    title, parameter_name = "queue", "queue"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, name) for name in jobs.QUEUES]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(queue=self.value()) if self.value() else queryset


class ObjectType(DropdownFilter):  # type: ignore[misc]
    """What an audit entry is about, among the screens of this console."""

    title, parameter_name = "kind of object", "object_type"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(model._meta.label_lower, str(model._meta.verbose_name)) for model in model_admin.admin_site._registry]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(object_type=self.value()) if self.value() else queryset


class Parked(DropdownFilter):  # type: ignore[misc]
    """Events that speak another version of Stripe's API than this release, and those that were given up for another reason."""

    title, parameter_name = "parked", "parked"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Parked: another version of Stripe's API"), ("no", "Dead for another reason")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() not in ("yes", "no"):
            return queryset
        dead, ours = queryset.filter(state="dead"), {"api_version": settings.STRIPE_API_VERSION}
        return dead.exclude(**ours) if self.value() == "yes" else dead.filter(**ours)


class Admins(DropdownFilter):  # type: ignore[misc]
    """Organizations that nobody can act for any more, whose admins' accounts work no longer."""

    title, parameter_name = "admins", "admins"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("none", "None whose account works")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        rows: Any = queryset
        return rows.without_admin() if self.value() == "none" else rows  # type: ignore[no-any-return]


class Choice(ChoicesDropdownFilter):  # type: ignore[misc]
    """One of a column's few values."""
