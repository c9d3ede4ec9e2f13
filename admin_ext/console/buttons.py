"""A button is an operation: a dialog on GET, one call on POST, offered only where state machine and permission allow it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from unfold.enums import ActionVariant

from admin_ext.console import refusals, tokens
from admin_ext.console.dialogs import Confirm, Dialog
from admin_ext.console.urls import change_url
from core.errors import InvalidInput
from core.state_machine import allows as state_allows
from organizations.permissions import Permission, require

type Offered = Callable[[Any], bool]


@dataclass(frozen=True, slots=True)
class Button:
    """operation(**{id_argument: key}, **form.values(), by=actor) does it. transition: the move of the object's state machine that it makes.

    shows: a further question to the object; explain: one sentence about what will happen; gone: why it cannot be done now.
    leads_to: whose page comes next, the object's own where left out; opens: the same, told from what the operation made;
    afterwards: the address where this person cannot see the object any more.
    """

    operation: Callable[..., Any]
    name: str
    id_argument: str
    label: str
    done: str
    permission: Permission
    form_class: type[Dialog] = Confirm
    transition: str | None = None
    shows: Offered | None = None
    explain: str = ""
    gone: str = "This cannot be done any more: the state has changed since the page was opened."
    submit: str = ""
    leads_to: Callable[[Any], Any] | None = None
    opens: Callable[[Any], Any] | None = None
    afterwards: str = ""
    danger: bool = False

    def offered(self, admin: Any, request: HttpRequest, obj: Any) -> bool:
        if not admin.allowed(request, self.permission, obj):
            return False
        return self.possible(obj)

    def possible(self, obj: Any) -> bool:
        if self.transition is not None and not state_allows(obj, self.transition):
            return False
        return self.shows is None or bool(self.shows(obj))


def operation_button(
    operation: Callable[..., Any], *, name: str, id_argument: str, label: str, done: str, permission: Permission, **options: Any
) -> Any:
    """A method for `actions_detail` of a ConsoleModelAdmin; options as the fields of Button."""
    button = Button(operation, name, id_argument, label, done, permission, **options)

    def view(admin: Any, request: HttpRequest, object_id: str) -> HttpResponse:
        return _answer(button, admin, request, object_id)

    view.__name__ = name
    for attribute, value in (
        ("short_description", label),
        ("dialog", {"title": label}),
        ("variant", ActionVariant.DANGER if button.danger else ActionVariant.DEFAULT),
        ("attrs", {}),
        ("extra_options", {}),
        ("icon", None),
        ("url_path", name.replace("_", "-")),
        ("button", button),
    ):
        setattr(view, attribute, value)
    return view


def group(title: str, *names: str) -> dict[str, Any]:
    """Buttons that stand below one opener in the header of an object's page; without any that is offered there is no opener."""
    return {"title": title, "items": list(names)}


def _answer(button: Button, admin: Any, request: HttpRequest, object_id: str) -> HttpResponse:
    obj = admin.get_object(request, object_id)
    if obj is None or not admin.has_view_permission(request, obj):
        raise Http404
    back = change_url(admin.admin_site.name, button.leads_to(obj) if button.leads_to else obj) or request.path
    if request.method != "POST":
        return _opened(button, admin, request, obj, back)
    token = request.POST.get("token", "")
    form = button.form_class(request=request, obj=obj, actor=admin.actor(request), token=token, data=request.POST, files=request.FILES)
    if not form.is_valid():
        return _dialog(button, admin, request, form, back)
    return _run(button, admin, request, obj, form, back)


def _opened(button: Button, admin: Any, request: HttpRequest, obj: Any, back: str) -> HttpResponse:
    """The empty dialog, or the reason why there is none; the second factor is asked for before anything is typed."""
    actor = admin.actor(request)
    organization_id, responsible_id = admin.owner_of(obj)
    try:
        require(actor, button.permission, organization_id, responsible_id=responsible_id)
    except refusals.REFUSALS as refusal:
        return refusals.sentence(request, refusal, back=back)
    form = button.form_class(request=request, obj=obj, actor=actor, token=tokens.issue())
    return _dialog(button, admin, request, form, back, gone="" if button.possible(obj) else button.gone)


def _run(button: Button, admin: Any, request: HttpRequest, obj: Any, form: Dialog, back: str) -> HttpResponse:
    actor = admin.actor(request)
    organization_id, responsible_id = admin.owner_of(obj)
    try:
        require(actor, button.permission, organization_id, responsible_id=responsible_id)
        if not tokens.spend(form.token):
            messages.info(request, "This dialog was already submitted; nothing was done a second time.")
            return refusals.go(request, back)
        made = button.operation(**{button.id_argument: obj.pk}, **form.values(), by=actor)
    except InvalidInput as refusal:
        if refusal.field in form.fields:
            form.add_error(refusal.field, str(refusal))
            form.token = tokens.issue()
            return _dialog(button, admin, request, form, back)
        return refusals.sentence(request, refusal, back=back)
    except refusals.REFUSALS as refusal:
        return refusals.sentence(request, refusal, back=back)
    messages.success(request, button.done)
    if button.afterwards and not admin.get_queryset(request).filter(pk=obj.pk).exists():
        return refusals.go(request, button.afterwards)
    return refusals.go(request, (change_url(admin.admin_site.name, button.opens(made)) or back) if button.opens else back)


def _dialog(button: Button, admin: Any, request: HttpRequest, form: Dialog, back: str, gone: str = "") -> HttpResponse:
    request.current_app = admin.admin_site.name
    context = {"form": form, "button": button, "gone": gone, "back": back, "object": form.obj, "title": button.label}
    if request.headers.get("HX-Request"):
        return TemplateResponse(request, "admin_ext/dialog.html", context)
    return TemplateResponse(
        request, "admin_ext/dialog_page.html", {**admin.admin_site.each_context(request), **context, "opts": admin.opts}
    )
