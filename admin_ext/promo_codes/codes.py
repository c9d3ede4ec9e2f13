"""Promo codes and their uses."""

from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from admin_ext.console import columns, edits, export, filters
from admin_ext.console.base import ConsoleModelAdmin
from admin_ext.console.bulk import bulk_action
from admin_ext.console.buttons import operation_button
from admin_ext.console.panels import Panel
from admin_ext.console.scope import visible
from admin_ext.console.urls import change_url, list_url
from admin_ext.promo_codes.code_bulk import ARCHIVE
from admin_ext.promo_codes.code_forms import PromoCodeForm
from core.errors import InvalidInput
from core.money import Money
from events.models import Event
from organizations.models import Organization
from organizations.permissions import Permission
from promo_codes import authoring, code_files, field_checks, lifecycle
from promo_codes.models import PromoCode, Redemption


class PromoCodeAdmin(ConsoleModelAdmin):
    form = PromoCodeForm
    view_permission = Permission.PROMO_CODE_VIEW
    edit_permission = add_permission = Permission.PROMO_CODE_MANAGE
    edit_fields = (
        "organization", "code", "description", "kind", "value", "currency", "cap", "minimum", "starts_at", "ends_at", "max_uses",
        "max_uses_per_person", "first_time_only", "events",
    )  # fmt: skip
    AGREED = ("code", "kind", "value", "currency", "cap", "minimum", "first_time_only")
    list_display = ["code", "state_badge", "worth_shown", "used", "begins", "ends", "limited_to", "organization_link"]
    list_filter = [
        ("state", filters.States),
        ("kind", filters.Choice),
        ("organization", filters.RelatedFilter),
        ("ends_at", filters.MomentRange),
    ]
    autocomplete_filters = ("organization",)
    autocomplete_fields = ("organization",)
    organizer_hides = ("organization_link", "organization")
    list_select_related = ["organization"]
    search_fields = ["code", "description"]
    list_before_template = "admin_ext/promo_codes_above.html"
    export_fields = (
        export.text("code", "Code"),
        export.text("description", "Description"),
        export.text("state", "State"),
        export.text("organization__name", "Organization", name="organization_link"),
        export.text("kind", "Kind"),
        export.number("basis_points", "Percent in hundredths"),
        export.money("amount", "Amount"),
        export.money("cap_amount", "At most"),
        export.money("minimum_amount", "Least price"),
        export.text("currency", "Currency"),
        export.moment("starts_at", "Valid from"),
        export.moment("ends_at", "Valid until"),
        export.number("max_uses", "Uses allowed"),
        export.number("max_uses_per_person", "Uses allowed per person"),
        export.number("uses", "Uses"),
    )
    empty_sentence = "No promo codes yet. Add one, or import a file of them."
    actions = (bulk_action(ARCHIVE),)
    actions_detail = ["pause", "resume", "archive"]
    shown_id, state_badge = columns.number("Promo code"), columns.state()
    worth_shown = columns.text("worth", "Takes off")
    begins, ends = columns.moment("starts_at", "From"), columns.moment("ends_at", "Until", sortable=True)
    created, organization_link = columns.moment("created_at", "Made"), columns.link("organization", "Organization")
    responsible_link = columns.link("responsible", "Made by")
    _window = ("When", {"fields": ["starts_at", "ends_at"]})
    _limits = ("How often", {"fields": ["max_uses", "max_uses_per_person"]})
    _where = ("Where", {"fields": ["events"]})
    _record = ("Record", {"fields": ["used", "responsible_link", "organization_link", "created", "shown_id"]})
    _discount = ("Discount", {"fields": ["kind", "value", "currency", "cap", "minimum", "first_time_only"]})
    add_fieldsets = (
        ("Who", {"fields": ["organization"]}),
        ("Code", {"fields": ["code", "description"]}),
        _discount,
        _window,
        _limits,
        _where,
    )
    fieldsets = [("Code", {"fields": ["state_badge", "code", "description"]}), _discount, _window, _limits, _where, _record]
    _agreed = [
        ("Code", {"fields": ["state_badge", "code", "description"]}),
        ("Discount", {"fields": ["worth_shown", "minimum_shown", "for_whom"]}),
        _window,
        _limits,
    ]
    used_fieldsets = [*_agreed, _where, _record]
    seen_fieldsets = [*_agreed, ("Where", {"fields": ["limited_to"]}), _record]
    pause = operation_button(
        lifecycle.pause,
        name="pause",
        id_argument="promo_code_id",
        label="Pause…",
        done="Paused; nobody can use it until it is resumed.",
        permission=Permission.PROMO_CODE_MANAGE,
        transition="pause",
        explain="Nobody can use the code until it is resumed. Places that are held or sold with it keep their price.",
        gone="Only an active code can be paused.",
        submit="Pause",
    )
    resume = operation_button(
        lifecycle.resume,
        name="resume",
        id_argument="promo_code_id",
        label="Resume…",
        done="It can be used again.",
        permission=Permission.PROMO_CODE_MANAGE,
        transition="resume",
        explain="The code can be used again, within its window and its limits.",
        gone="Only a paused code can be resumed.",
        submit="Resume",
    )
    archive = operation_button(
        lifecycle.archive,
        name="archive",
        id_argument="promo_code_id",
        label="Archive…",
        done="Archived; nobody can use it any more.",
        permission=Permission.PROMO_CODE_MANAGE,
        transition="archive",
        explain="Nobody can use the code any more, for good. Places that are held or sold with it keep their price.",
        gone="This code is archived already.",
        submit="Archive",
        danger=True,
    )

    def get_custom_urls(self) -> tuple[tuple[str, str, Any], ...]:
        return (("sample.csv", "promo_codes_promocode_sample", self.sample_view),)

    def sample_view(self, request: HttpRequest, model_admin: Any) -> HttpResponse:
        headers = {"Content-Disposition": 'attachment; filename="promo-codes.csv"'}
        return HttpResponse(code_files.SAMPLE, content_type="text/csv; charset=utf-8", headers=headers)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        answer: HttpResponse = super().changelist_view(request, {**self._file_links(request), **(extra_context or {})})
        return answer

    def _file_links(self, request: HttpRequest) -> dict[str, Any]:
        """Where a file is sent; on the staff's console the organization is chosen first."""
        organization_id, site = self.actor(request).organization_id, self.admin_site.name
        if organization_id is None or not self.allowed(request, Permission.PROMO_CODE_IMPORT):
            return {}
        page = str(change_url(site, Organization(pk=organization_id))).removesuffix("change/")
        sample = reverse("admin:promo_codes_promocode_sample", current_app=site)
        return {"code_file_url": f"{page}import-codes/", "code_sample_url": sample}

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return self.add_fieldsets if self.on_staff_site else self.add_fieldsets[1:]
        if not self.has_change_permission(request, obj):
            return self.seen_fieldsets
        return self.used_fieldsets if self._is_fixed(obj) else self.fieldsets

    def _is_fixed(self, obj: PromoCode) -> bool:
        """Whether its terms were agreed on with somebody; asked once for each page."""
        if "_is_fixed" not in obj.__dict__:
            obj.__dict__["_is_fixed"] = obj.redemptions.exists()
        return bool(obj.__dict__["_is_fixed"])

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """What was agreed on is no field of the form, shown or not: a field that is not sent would read as emptied."""
        agreed = self.AGREED if obj is not None and self._is_fixed(obj) else ()
        return [*super().get_readonly_fields(request, obj), *agreed]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        archived = obj is not None and obj.state == PromoCode.State.ARCHIVED
        return not archived and super().has_change_permission(request, obj)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """One call of the operation; it locks, checks and records. Raises DomainError."""
        actor = self.actor(request)
        if change:
            edits.locked(self, request, obj)
            authoring.edit(promo_code_id=obj.pk, by=actor, **form.terms)
            return
        chosen = form.cleaned_data.get("organization")
        organization_id = chosen.pk if chosen else actor.organization_id
        if organization_id is None:
            raise InvalidInput("Choose the organization that the code is of.", field="organization")
        obj.__dict__.update(authoring.create(organization_id=organization_id, by=actor, **form.terms).__dict__)

    def used(self, obj: PromoCode) -> str:
        return f"{obj.uses} of {obj.max_uses}" if obj.max_uses is not None else str(obj.uses)

    used.short_description = "Used"  # type: ignore[attr-defined]

    def minimum_shown(self, obj: PromoCode) -> Any:
        return columns.EMPTY if obj.minimum_amount is None else str(Money(obj.minimum_amount, obj.currency))

    minimum_shown.short_description = "Least price"  # type: ignore[attr-defined]

    def for_whom(self, obj: PromoCode) -> str:
        return "People who never had a place with the organization" if obj.first_time_only else "Everybody"

    for_whom.short_description = "For whom"  # type: ignore[attr-defined]

    def limited_to(self, obj: PromoCode) -> str:
        count = len(obj.subjects)
        return f"{count} event{'s' if count > 1 else ''}" if count else "All events"

    limited_to.short_description = "For"  # type: ignore[attr-defined]

    def detail_rows(self, request: HttpRequest) -> QuerySet[Any]:
        return self.get_queryset(request).select_related("organization", "responsible")

    def told_with(self, obj: PromoCode) -> Sequence[QuerySet[Any]]:
        return (Redemption.objects.filter(code=obj),)

    def panels(self, request: HttpRequest, obj: PromoCode) -> list[Panel]:
        actor, site = self.actor(request), self.admin_site.name
        uses = visible(Redemption, actor).filter(code=obj).select_related("registration__event").order_by("-pk")[:20]
        found = Panel(
            "Latest uses",
            ["Person", "State", "Took off", "Place", "When"],
            [
                [
                    columns.as_link(site, use, use.email),
                    columns.as_state(use.state),
                    str(use.discount),
                    columns.as_link(site, columns.reach(use, "registration"), columns.reach(use, "registration.event.title")),
                    columns.as_moment(use.created_at),
                ]
                for use in uses
            ],
            "Nobody has used it yet.",
            list_url(site, Redemption, f"code__id__exact={obj.pk}"),
        )
        events = [[columns.as_link(site, event)] for event in self._events(request, obj)]
        return [found, *([Panel("Only for", ["Event"], events)] if obj.subjects else [])]

    def _events(self, request: HttpRequest, obj: PromoCode) -> list[Event]:
        mine = visible(Event, self.actor(request))
        return list(mine.filter(pk__in=[event.pk for event in field_checks.events_of(obj)]).order_by("starts_at"))
