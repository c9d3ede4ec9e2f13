"""What every screen of both consoles is made from: scoped rows, permissions from the one table, read-only unless declared."""

from collections.abc import Sequence
from typing import Any, ClassVar, cast
from uuid import UUID

from django.contrib.admin.options import ActionLocation, IncorrectLookupParameters
from django.contrib.admin.utils import flatten_fieldsets
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_POST
from unfold.admin import ModelAdmin

from admin_ext.console import columns, edits, export, history, row_search
from admin_ext.console.paging import BigTablePaginator, ConsoleChangeList
from admin_ext.console.panels import Panel
from admin_ext.console.refusals import sentence
from admin_ext.console.scope import visible
from admin_ext.console.urls import decoded, list_url
from audit.actor import Actor
from core.errors import DomainError, NotFound, PermissionRefused, StepUpRequired
from organizations.permissions import Permission, allows


class ConsoleModelAdmin(ModelAdmin):  # type: ignore[misc]
    """view_permission: who sees the screen; edit_permission with edit_fields: who may change which descriptive fields, and nothing else.

    Which rows: `visible_to`. States, money and owners change by buttons (console.buttons). autocomplete_filters: foreign keys that the
    list filters by. lookups: what a link from another screen may filter by, besides list_filter. empty_sentence: what belongs here.
    export_fields: the columns of the list's CSV file after the id (console.export); without any there is none.
    """

    view_permission: ClassVar[Permission]
    edit_permission: ClassVar[Permission | None] = None
    add_permission: ClassVar[Permission | None] = None
    edit_fields: tuple[str, ...] = ()
    autocomplete_filters: tuple[str, ...] = ()
    lookups: tuple[str, ...] = ()
    empty_sentence = "Nothing here yet."
    export_fields: tuple[export.Column, ...] = ()
    organizer_hides: tuple[str, ...] = ()  # columns and filters that say nothing in a console of one organization

    list_per_page = 50
    list_max_show_all = 0
    show_full_result_count = False
    show_facets = False
    paginator = BigTablePaginator
    actions: Any = ()
    list_filter_submit = True
    list_fullwidth = True
    date_hierarchy = None
    ordering: tuple[str, ...] = ("-pk",)
    change_form_before_template = "admin_ext/seen.html"
    change_form_outer_after_template = "admin_ext/around_object.html"
    empty_value_display = columns.EMPTY
    compressed_fields = True
    warn_unsaved_form = True

    # --- who and which rows -------------------------------------------------------------------------------------------------------

    def actor(self, request: HttpRequest) -> Actor:
        return cast(Actor, self.admin_site.actor(request))

    @property
    def on_staff_site(self) -> bool:
        return bool(self.admin_site.name == "admin")

    def owner_of(self, obj: Model) -> tuple[UUID | None, UUID | None]:
        """Organization and responsible member of the object, for permissions."""
        return getattr(obj, "organization_id", None), getattr(obj, "responsible_id", None)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = visible(self.model, self.actor(request))
        return rows.order_by(*self.get_ordering(request))

    def allowed(self, request: HttpRequest, permission: Permission | None, obj: Model | None = None) -> bool:
        """`permissions.allows` for this request's actor; asked once per request, permission and owner."""
        if permission is None:
            return False
        organization_id, responsible_id = self.owner_of(obj) if obj is not None else (None, None)
        known: dict[tuple[Any, ...], bool] = request.__dict__.setdefault("_console_allowed", {})
        key = (self.admin_site.name, permission, organization_id, responsible_id)
        if key not in known:
            known[key] = allows(self.actor(request), permission, organization_id, responsible_id=responsible_id)
        return known[key]

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return bool(self.admin_site.has_permission(request)) and self.allowed(request, self.view_permission)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(self.admin_site.has_permission(request)) and self.allowed(request, self.add_permission)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        if not self.edit_fields or not self.admin_site.has_permission(request):
            return False
        return self.allowed(request, self.edit_permission, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    # --- one object -----------------------------------------------------------------------------------------------------------------

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """The visible object that a typed public id or a plain key names, None where there is none; read once per request."""
        known: dict[tuple[Any, ...], Any] = request.__dict__.setdefault("_console_objects", {})
        key = (self.admin_site.name, self.model, str(object_id))
        if key not in known:
            pk = decoded(self.model, str(object_id))
            found = self.detail_rows(request).filter(pk=pk).first() if pk is not None else None
            known[key] = found
        return known[key]

    def detail_rows(self, request: HttpRequest) -> QuerySet[Any]:
        """Rows for the page of one object; subclasses join what the page shows."""
        return self.get_queryset(request)

    def _get_obj_does_not_exist_redirect(self, request: HttpRequest, opts: Any, object_id: str) -> HttpResponse:
        raise Http404(f"There is no such {opts.verbose_name}, or you may not see it.")

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> list[str]:
        if obj is None:
            return []
        shown = flatten_fieldsets(self.get_fieldsets(request, obj))
        return [name for name in shown if name not in self.edit_fields]

    def panels(self, request: HttpRequest, obj: Any) -> list[Panel]:
        """Related objects, below the fields."""
        return []

    def told_with(self, obj: Any) -> Sequence[QuerySet[Any]]:
        """The parts of the object whose entries stand in its timeline too."""
        return ()

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = dict(extra_context or {})
        obj = self.get_object(request, object_id) if object_id else None
        if obj is not None and request.method == "GET":
            context["panels"] = self.panels(request, obj)
            context["timeline"] = history.timeline(self, self.actor(request), obj, limit=12)
            context["subtitle"] = ""
            context["title"] = self.title_of(obj)
        try:
            return cast(HttpResponse, super().changeform_view(request, object_id, form_url, context))
        except (NotFound, StepUpRequired, PermissionRefused, edits.StalePage) as refusal:
            return sentence(request, refusal, back=request.get_full_path())
        except DomainError as refusal:
            request.__dict__["_console_refusal"] = refusal  # once more: the form then keeps what was typed and says why not
            return cast(HttpResponse, super().changeform_view(request, object_id, form_url, context))

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form_class = super().get_form(request, obj, change=change, **kwargs)
        refusal = request.__dict__.get("_console_refusal")
        return type("Refused", (edits.RefusedForm, form_class), {"refusal": refusal}) if refusal is not None else form_class

    def title_of(self, obj: Any) -> str:
        return str(obj)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], add: bool = False, change: bool = False, form_url: str = "", obj: Any = None
    ) -> TemplateResponse:
        context["show_save_and_add_another"] = False
        context["seen"] = edits.version_of(obj) if obj is not None else ""
        return cast(TemplateResponse, super().render_change_form(request, context, add, change, form_url, obj))

    @property
    def buttons(self) -> list[str]:
        """Names of all buttons of an object's page, whatever group they stand in."""
        names: list[str] = self._extract_action_names(self.actions_detail)
        return names

    def get_actions_detail(self, request: HttpRequest, object_id: str) -> list[Any]:
        """Only what can be done to this object now, by this person."""
        obj = self.get_object(request, str(object_id))
        offered = super().get_actions_detail(request, object_id)
        return [action for action in offered if obj is not None and action.method.button.offered(self, request, obj)]

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """A plain edit of descriptive fields, with before and after in the audit log. Raises DomainError."""
        edits.save(self, request, obj, form)

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> None:
        """The audit log is the only history; Django's own stays empty."""

    log_change = log_addition
    log_deletions = log_addition

    def history_view(self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        obj = self.get_object(request, object_id)
        if obj is None or not self.has_view_permission(request, obj):
            raise Http404
        return history.page(self, request, obj)

    def own_page(self, request: HttpRequest, template: str, title: str, **context: Any) -> TemplateResponse:
        """A page of this admin class that is neither a list nor an object. Raises PermissionDenied."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        request.current_app = self.admin_site.name
        return TemplateResponse(request, template, {**self.admin_site.each_context(request), "title": title, "opts": self.opts, **context})

    # --- lists ------------------------------------------------------------------------------------------------------------------------

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return ConsoleChangeList

    def get_actions(self, request: HttpRequest, action_location: ActionLocation = ActionLocation.CHANGE_LIST) -> dict[str, Any]:
        """Bulk actions that this person may use; Django's own, such as deleting, never."""
        found = super().get_actions(request, action_location=action_location)
        return {name: action for name, action in found.items() if self.allowed(request, getattr(action.func, "permission", None))}

    def get_action_choices(
        self, request: HttpRequest, default_choices: Any = None, action_location: ActionLocation = ActionLocation.CHANGE_LIST
    ) -> list[tuple[str, str]]:
        actions = self.get_actions(request, action_location=action_location)
        return [("", "With the selected rows"), *((action.name, action.description) for action in actions.values())]

    def get_urls(self) -> list[URLPattern]:
        own = path("export.csv", self.admin_site.admin_view(require_POST(self.export_view)), name=self._export_name)
        return [*([own] if self.export_fields else []), *super().get_urls()]

    @property
    def _export_name(self) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_export"

    def export_url(self, request: HttpRequest, query: str) -> str | None:
        """Where the list with this query is exported from; None where there is nothing to export or this person may not."""
        if not self.export_fields or not self.allowed(request, Permission.LIST_EXPORT):
            return None
        return reverse(f"admin:{self._export_name}", current_app=self.admin_site.name) + query

    def export_view(self, request: HttpRequest) -> HttpResponseBase:
        """All that the list shows with the same query, as CSV. Raises PermissionDenied."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        query = request.META.get("QUERY_STRING", "")
        back = list_url(self.admin_site.name, self.model, query) or request.path
        shown = [one for one in self.export_fields if self.on_staff_site or one.name not in self.organizer_hides]
        try:
            rows = self.get_changelist_instance(request).queryset
            return export.download(export.start(rows=rows, columns=shown, filters=query, by=self.actor(request)), self.model)
        except IncorrectLookupParameters:
            return HttpResponseRedirect(list_url(self.admin_site.name, self.model, "e=1") or back)
        except DomainError as refusal:
            return sentence(request, refusal, back=back)

    def prepare_page(self, request: HttpRequest, rows: list[Any]) -> None:
        """Hang on the rows what their columns need and no join gives, with one query for all of them."""

    def get_list_display(self, request: HttpRequest) -> list[str]:
        return [name for name in super().get_list_display(request) if self.on_staff_site or name not in self.organizer_hides]

    def get_list_filter(self, request: HttpRequest) -> list[Any]:
        def named(entry: Any) -> str:
            return str(entry[0] if isinstance(entry, (tuple, list)) else entry.parameter_name)

        return [entry for entry in super().get_list_filter(request) if self.on_staff_site or named(entry) not in self.organizer_hides]

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        """Only what the list filters by: `?password__startswith=` would otherwise read a column that nobody may see, letter by letter."""
        entries = self.get_list_filter(request)
        named = {str(entry[0] if isinstance(entry, (tuple, list)) else entry.parameter_name) for entry in entries} | set(self.lookups)
        named |= {f"{name}{end}" for name in named for end in ("_from", "_to")}  # what a range of days is asked by
        base = lookup.split("__")
        return any(base[: len(parts)] == parts and len(base) - len(parts) <= 2 for parts in (name.split("__") for name in named))

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Any], search_term: str) -> tuple[QuerySet[Any], bool]:
        """A typed public id finds its row at once; anything else goes through search_fields (console.row_search)."""
        if not search_term.strip():
            return queryset, False
        pk = decoded(self.model, search_term.strip())
        if pk is not None:
            return queryset.filter(pk=pk), False
        return row_search.search(queryset, tuple(self.get_search_fields(request)), search_term), False

    # --- choices ------------------------------------------------------------------------------------------------------------------------

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        related: Any = db_field.remote_field.model
        mine = visible(related, self.actor(request))
        given = kwargs.get("queryset")
        kwargs["queryset"] = mine if given is None else given.filter(pk__in=mine.values("pk"))
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        kwargs["queryset"] = visible(db_field.remote_field.model, self.actor(request))
        return super().formfield_for_manytomany(db_field, request, **kwargs)
