"""Choices of a foreign key while one types: only what the actor may see, only through fields that an admin class names."""

from typing import Any

from django.contrib.admin.views.autocomplete import AutocompleteJsonView
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from admin_ext.console.scope import visible


class ScopedAutocomplete(AutocompleteJsonView):
    """Rows come from `visible_to` a second time here, so that an admin class that forgot its scope still leaks nothing."""

    admin_site: Any

    def process_request(self, request: HttpRequest) -> Any:
        term, model_admin, source_field, to_field_name = super().process_request(request)
        source = self.admin_site._registry.get(source_field.model)
        named = {*getattr(source, "autocomplete_fields", ()), *getattr(source, "autocomplete_filters", ())}
        if source is None or not source.has_view_permission(request) or source_field.name not in named:
            raise PermissionDenied
        return term, model_admin, source_field, to_field_name

    def get_queryset(self) -> QuerySet[Model]:
        rows: QuerySet[Model] = super().get_queryset()
        mine = visible(self.model_admin.model, self.admin_site.actor(self.request))
        return rows.filter(pk__in=mine.values("pk")).order_by("pk")
