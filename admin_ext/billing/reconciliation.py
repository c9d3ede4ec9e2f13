"""Reconciliation runs: started here or by the clock, watched while they work, with what each account's residual is."""

from collections.abc import Callable
from functools import partial
from typing import Any

from django.contrib import messages
from django.db.models import Count, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from admin_ext.billing import reconciliation_files
from admin_ext.console import columns, filters, refusals
from admin_ext.console.base import ConsoleModelAdmin
from admin_ext.console.urls import change_url, list_url
from admin_ext.ledger import organization_names
from billing.models import Discrepancy, ReconciliationPart, ReconciliationRun
from billing.reconciliation import runs
from core.money import Money
from organizations.permissions import Permission

AMOUNTS = ("stripe", "books", "timing", "explained", "residual")


class ReconciliationRunAdmin(ConsoleModelAdmin):
    view_permission = Permission.LEDGER_VIEW
    list_display = ["started", "state_badge", "accounts", "compared", "differences", "residual", "asked", "ended"]
    list_filter = [("state", filters.States), ("created_at", filters.MomentRange)]
    list_select_related = ["asked_by"]
    list_before_template = "admin_ext/reconciliation_start.html"
    empty_sentence = "No reconciliation has run yet; one runs every night, or now if you start it."
    state_badge = columns.state()
    started, ended = columns.moment("created_at", "Started"), columns.moment("finished_at", "Ended")
    fieldsets = [(None, {"fields": ["state_badge", "started", "ended"]})]

    def asked(self, obj: ReconciliationRun) -> str:
        return str(obj.asked_by) if obj.asked_by else "The clock"

    asked.short_description = "By"  # type: ignore[attr-defined]

    def prepare_page(self, request: HttpRequest, rows: list[Any]) -> None:
        parts: dict[Any, list[ReconciliationPart]] = {}
        for part in ReconciliationPart.objects.filter(run__in=rows).order_by("pk"):
            parts.setdefault(part.run_id, []).append(part)
        for row in rows:
            row._parts = parts.get(row.pk, [])

    def accounts(self, obj: Any) -> str:
        return str(len(obj._parts))

    def compared(self, obj: Any) -> str:
        return f"{sum(part.checked for part in obj._parts):,}"

    compared.short_description = "Movements compared"  # type: ignore[attr-defined]

    def differences(self, obj: Any) -> str:
        return f"{sum(part.found for part in obj._parts):,}"

    differences.short_description = "New differences"  # type: ignore[attr-defined]

    def residual(self, obj: Any) -> Any:
        if obj.state != ReconciliationRun.State.DONE:
            return columns.EMPTY
        left = [Money(row["residual"], row["currency"]) for part in obj._parts for row in part.residuals if row["residual"]]
        return columns.as_badge("; ".join(map(str, left)), columns.DANGER) if left else columns.as_badge("None", columns.SUCCESS)

    def get_custom_urls(self) -> tuple[tuple[str, str, Any], ...]:
        name = "billing_reconciliationrun"
        return (
            ("start/", f"{name}_start", require_POST(self.start_view)),
            ("<str:object_id>/go-on/", f"{name}_go_on", require_POST(self.go_on_view)),
            ("<str:object_id>/progress/", f"{name}_progress", self.progress_view),
            *((f"<str:object_id>/{what}.csv", f"{name}_{what}", partial(self.file_view, what=what)) for what in reconciliation_files.FILES),
        )

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        context = {
            "start_url": self._url("start"),
            "may_start": self.allowed(request, Permission.RECONCILIATION_RUN),
            "under_way": ReconciliationRun.objects.under_way().first(),
        }
        answer: HttpResponse = super().changelist_view(request, {**context, **(extra_context or {})})
        return answer

    def _url(self, name: str, *args: str) -> str:
        return reverse(f"admin:billing_reconciliationrun_{name}", args=args, current_app=self.admin_site.name)

    def start_view(self, request: HttpRequest, model_admin: Any) -> HttpResponse:
        back = list_url(self.admin_site.name, ReconciliationRun) or request.path
        if not self.has_view_permission(request):
            raise Http404
        return self._do(request, lambda: runs.start(by=self.actor(request)), back, "Started; this page shows how far it is.")

    def go_on_view(self, request: HttpRequest, model_admin: Any, object_id: str) -> HttpResponse:
        run = self._run(request, object_id)
        back = change_url(self.admin_site.name, run) or request.path
        return self._do(request, lambda: runs.go_on(run_id=run.pk, by=self.actor(request)), back, "Queued again from where it was.")

    def _do(self, request: HttpRequest, operation: Callable[[], ReconciliationRun], back: str, done: str) -> HttpResponse:
        try:
            run = operation()
        except refusals.REFUSALS as refusal:
            return refusals.sentence(request, refusal, back=back)
        messages.success(request, done)
        return HttpResponseRedirect(change_url(self.admin_site.name, run) or back)

    def _run(self, request: HttpRequest, object_id: str) -> ReconciliationRun:
        run = self.get_object(request, object_id)
        if run is None or not self.has_view_permission(request):
            raise Http404
        found: ReconciliationRun = run
        return found

    def detail_rows(self, request: HttpRequest) -> QuerySet[Any]:
        return self.get_queryset(request).select_related("asked_by")

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        run = self._run(request, object_id)
        return self.own_page(request, "admin_ext/reconciliation_run.html", str(run), **self._figures(request, run))

    def progress_view(self, request: HttpRequest, model_admin: Any, object_id: str) -> HttpResponse:
        """What the page asks for every two seconds; once the run has ended, the whole page is loaded again."""
        run = self._run(request, object_id)
        answer = self.own_page(request, "admin_ext/reconciliation_progress.html", "", **self._figures(request, run))
        if not run.is_under_way:
            answer["HX-Refresh"] = "true"
        return answer

    def file_view(self, request: HttpRequest, model_admin: Any, object_id: str, *, what: str) -> HttpResponseBase:
        """Raises Http404; without the right to export, or a fresh second factor, back to the run with a sentence."""
        run = self._run(request, object_id)
        try:
            return reconciliation_files.download(run, what, by=self.actor(request))
        except refusals.REFUSALS as refusal:
            return refusals.sentence(request, refusal, back=change_url(self.admin_site.name, run) or request.path)

    def _figures(self, request: HttpRequest, run: ReconciliationRun) -> dict[str, Any]:
        parts = list(run.parts.order_by("pk"))
        names = organization_names(part.organization_id for part in parts)
        state_counts = run.discrepancies.order_by("kind").values("kind")
        kinds = state_counts.annotate(all=Count("pk"), open=Count("pk", filter=Q(state=Discrepancy.State.OPEN)))
        labels, site = dict(Discrepancy.Kind.choices), self.admin_site.name
        return {
            "run": run,
            "parts": [_row(part, names) for part in parts],
            "residuals": [row for part in parts for row in _residual_rows(part, names)],
            "kinds": [
                {
                    "label": labels[row["kind"]],
                    "all": row["all"],
                    "open": row["open"],
                    "url": list_url(site, Discrepancy, f"seen_in__id__exact={run.pk}&kind__exact={row['kind']}"),
                }
                for row in kinds
            ],
            "files": [(label, self._url(what, run.public_id)) for what, label in reconciliation_files.FILES.items()],
            "progress_url": self._url("progress", run.public_id),
            "go_on_url": self._url("go_on", run.public_id),
            "may_go_on": self.allowed(request, Permission.RECONCILIATION_RUN)
            and (run.state == ReconciliationRun.State.FAILED or runs.is_stalled(run)),
        }


def _name(part: ReconciliationPart, names: dict[str, str]) -> str:
    return f"{names.get(str(part.organization_id), '')} ({part.account})" if part.account else "The platform's account"


def _row(part: ReconciliationPart, names: dict[str, str]) -> dict[str, Any]:
    percent = 100 if part.state == ReconciliationPart.State.DONE else min(99, part.checked * 100 // part.to_check) if part.to_check else 0
    return {"part": part, "name": _name(part, names), "percent": percent, "badge": columns.as_state(part.state, part.get_state_display())}


def _residual_rows(part: ReconciliationPart, names: dict[str, str]) -> list[dict[str, Any]]:
    """One row a currency: amounts of different currencies are never added up."""
    return [
        {
            "name": _name(part, names),
            "currency": row["currency"],
            "amounts": [columns.as_money(row[name], row["currency"]) for name in AMOUNTS[:-1]],
            "residual": columns.as_money(row["residual"], row["currency"]),
            "is_zero": row["residual"] == 0,
        }
        for row in part.residuals
    ]
