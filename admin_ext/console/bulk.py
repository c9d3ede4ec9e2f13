"""The bulk actions of a list: each freezes the selection and leads to the run's page, where it is previewed and confirmed."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from admin_ext.console import bulk_runs, refusals
from admin_ext.console.bulk_kinds import BulkKind
from admin_ext.console.urls import change_url


def bulk_action(kind: BulkKind) -> Any:
    """An action for `actions` of a ConsoleModelAdmin; it shows to whoever has the kind's permission."""

    def start(admin: Any, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse:
        here = request.get_full_path()
        try:
            run = bulk_runs.freeze(kind=kind.name, rows=queryset, as_staff=admin.on_staff_site, by=admin.actor(request))
        except refusals.REFUSALS as refusal:
            return refusals.sentence(request, refusal, back=here)
        return refusals.go(request, change_url(admin.admin_site.name, run) or here)

    start.__name__ = kind.name.replace(".", "_")
    start.short_description = kind.label  # type: ignore[attr-defined]
    start.permission = kind.permission  # type: ignore[attr-defined]
    return start
