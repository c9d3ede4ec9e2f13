"""The page of a bulk run: details, preview, confirmation, progress, result file."""

from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from admin_ext.console import bulk_results, bulk_runs, columns, filters, refusals
from admin_ext.console.base import ConsoleModelAdmin
from admin_ext.console.bulk_kinds import kind_of
from admin_ext.console.urls import change_url
from admin_ext.models import BulkItem, BulkRun
from organizations.permissions import Permission

SHOWN = 100
STALLED = 180  # seconds without a row done
State = BulkItem.State


class BulkRunAdmin(ConsoleModelAdmin):
    view_permission = Permission.PAYMENT_VIEW
    list_display = ["title_shown", "state_badge", "total", "asked_by_name", "created", "finished"]
    list_filter = [("state", filters.States), ("created_at", filters.MomentRange)]
    list_select_related = ["asked_by"]
    empty_sentence = "Select rows in a list and choose what to do with them; each such run stays here with its result."
    state_badge, asked_by_name = columns.state(), columns.text("asked_by", "By")
    created, finished = columns.moment("created_at", "Started"), columns.moment("finished_at", "Ended")
    fieldsets = [(None, {"fields": ["title_shown", "state_badge", "total", "asked_by_name", "created", "finished"]})]

    def title_shown(self, obj: BulkRun) -> str:
        kind = kind_of(obj.kind)
        return f"{kind.label.rstrip('…')}: {kind.model._meta.verbose_name_plural}"

    title_shown.short_description = "What"  # type: ignore[attr-defined]

    def detail_rows(self, request: HttpRequest) -> QuerySet[Any]:
        return self.get_queryset(request).select_related("asked_by")

    def get_custom_urls(self) -> tuple[tuple[str, str, Any], ...]:
        pages = (
            ("describe", self.describe_view),
            ("confirm", self.confirm_view),
            ("discard", self.discard_view),
            ("go-on", self.go_on_view),
        )
        posts = [(f"<str:object_id>/{path}/", f"admin_ext_bulkrun_{path.replace('-', '_')}", require_POST(view)) for path, view in pages]
        return (
            *posts,
            ("<str:object_id>/progress/", "admin_ext_bulkrun_progress", self.progress_view),
            ("<str:object_id>/result.csv", "admin_ext_bulkrun_result", self.result_view),
        )

    def _run(self, request: HttpRequest, object_id: str) -> BulkRun:
        run = self.get_object(request, object_id)
        if run is None or not self.has_view_permission(request):
            raise Http404
        found: BulkRun = run
        return found

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        run = self._run(request, object_id)
        kind = kind_of(run.kind)
        form = kind.form_class() if kind.form_class and run.state == BulkRun.State.FROZEN else None
        return self._page(request, run, form)

    def _page(self, request: HttpRequest, run: BulkRun, form: Any) -> HttpResponse:
        kind = kind_of(run.kind)
        planned = run.items.filter(state__in=[State.PLANNED, State.DONE]).order_by("position")[:SHOWN]
        refused = run.items.filter(state__in=[State.REFUSED, State.FAILED]).order_by("position")[:SHOWN]
        return self.own_page(
            request,
            "admin_ext/bulk_run.html",
            self.title_shown(run),
            run=run,
            kind=kind,
            form=form,
            planned=planned,
            refused=refused,
            shown=SHOWN,
            mine=run.asked_by_id == self.actor(request).user_id,
            addresses=self._addresses(run),
            **self._figures(request, run),
        )

    def _addresses(self, run: BulkRun) -> dict[str, str]:
        names = ("describe", "confirm", "discard", "go_on", "progress", "result")
        site = self.admin_site.name
        return {name: reverse(f"admin:admin_ext_bulkrun_{name}", args=[run.public_id], current_app=site) for name in names}

    def _figures(self, request: HttpRequest, run: BulkRun) -> dict[str, Any]:
        rows = bulk_runs.counts(run)
        looked_at = run.total - rows.get(State.SELECTED, 0)
        to_do = rows.get(State.PLANNED, 0) + rows.get(State.DONE, 0) + rows.get(State.FAILED, 0)
        done = rows.get(State.DONE, 0) + rows.get(State.FAILED, 0)
        previewing = run.state == BulkRun.State.PREVIEWING
        whole, part = (run.total, looked_at) if previewing else (to_do, done)
        return {
            "rows": {name: rows.get(name, 0) for name in State.values},
            "to_do": to_do,
            "part": part,
            "whole": whole,
            "percent": int(part * 100 / whole) if whole else 100,
            "totals": bulk_runs.totals(run, State.PLANNED, State.DONE),
            "totals_done": bulk_runs.totals(run, State.DONE),
            "busy": run.state in (BulkRun.State.PREVIEWING, BulkRun.State.RUNNING),
            "stalled": self._stalled(run),
        }

    def _stalled(self, run: BulkRun) -> bool:
        if run.state not in (BulkRun.State.PREVIEWING, BulkRun.State.RUNNING):
            return False
        last = run.items.filter(state__in=[State.DONE, State.FAILED]).order_by("-finished_at").values_list("finished_at", flat=True).first()
        since = last or run.confirmed_at or run.updated_at
        return (timezone.now() - since).total_seconds() > STALLED

    def progress_view(self, request: HttpRequest, model_admin: Any, object_id: str) -> HttpResponse:
        """What the page asks for every two seconds; once the run has moved on, the whole page is loaded again."""
        run = self._run(request, object_id)
        figures = self._figures(request, run)
        context = {"run": run, "addresses": self._addresses(run), **figures}
        answer = self.own_page(request, "admin_ext/bulk_progress.html", "", **context)
        if not figures["busy"]:
            answer["HX-Refresh"] = "true"
        return answer

    def describe_view(self, request: HttpRequest, model_admin: Any, object_id: str) -> HttpResponse:
        run = self._run(request, object_id)
        kind = kind_of(run.kind)
        form = kind.form_class(request.POST) if kind.form_class else None
        if form is not None and not form.is_valid():
            return self._page(request, run, form)
        values = form.cleaned_data if form is not None else {}
        return self._do(request, run, lambda: bulk_runs.describe(run_id=run.pk, values=values, by=self.actor(request)))

    def confirm_view(self, request: HttpRequest, model_admin: Any, object_id: str) -> HttpResponse:
        run = self._run(request, object_id)
        return self._do(request, run, lambda: bulk_runs.confirm(run_id=run.pk, by=self.actor(request)))

    def discard_view(self, request: HttpRequest, model_admin: Any, object_id: str) -> HttpResponse:
        run = self._run(request, object_id)
        return self._do(request, run, lambda: bulk_runs.discard(run_id=run.pk, by=self.actor(request)), "Discarded; nothing was done.")

    def go_on_view(self, request: HttpRequest, model_admin: Any, object_id: str) -> HttpResponse:
        run = self._run(request, object_id)
        return self._do(
            request, run, lambda: bulk_runs.go_on(run_id=run.pk, by=self.actor(request)), "Queued again; rows that are done stay done."
        )

    def _do(self, request: HttpRequest, run: BulkRun, operation: Any, done: str = "") -> HttpResponse:
        back = change_url(self.admin_site.name, run) or request.path
        try:
            operation()
        except refusals.REFUSALS as refusal:
            return refusals.sentence(request, refusal, back=back)
        if done:
            messages.success(request, done)
        return HttpResponseRedirect(back)

    def result_view(self, request: HttpRequest, model_admin: Any, object_id: str) -> HttpResponseBase:
        return bulk_results.download(self._run(request, object_id))
