"""Plain edits of descriptive fields: locked, checked for a stale page, recorded with before and after."""

from typing import Any

from django.db.models import Model
from django.http import HttpRequest

from audit.recording import record
from core.errors import DomainError, PermissionRefused
from organizations.permissions import require


class StalePage(DomainError):
    code, http_status = "STALE_PAGE", 409

    def __init__(self) -> None:
        super().__init__("Somebody else saved this after you opened the page. Nothing was changed; look at it now and edit again.")


class RefusedForm:
    """Mixed into a form whose values an operation refused: they stay, and the refusal stands at its field."""

    refusal: DomainError

    def clean(self) -> Any:
        form: Any = self
        values = super().clean()  # type: ignore[misc]
        field = getattr(self.refusal, "field", None)
        form.add_error(field if field in form.fields else None, str(self.refusal))
        return values


def version_of(obj: Any) -> str:
    changed = getattr(obj, "updated_at", None)
    return changed.isoformat() if changed else ""


def locked(admin: Any, request: HttpRequest, obj: Any) -> Any:
    """The row as it stands, locked. Raises StalePage where somebody saved it after this page was opened.

    Two people who edit one row queue here, or the second would overwrite the first without having seen it.
    """
    row = admin.get_queryset(request).select_for_update(of=("self",)).get(pk=obj.pk)
    if request.POST.get("_seen", "") != version_of(row):
        raise StalePage
    return row


def save(admin: Any, request: HttpRequest, obj: Any, form: Any) -> None:
    """Write the fields that were changed, and only fields that the screen declares. Raises PermissionRefused, StepUpRequired, StalePage."""
    actor = admin.actor(request)
    if obj._state.adding:
        if admin.add_permission is None:
            raise PermissionRefused("add")
        require(actor, admin.add_permission)
        obj.save(force_insert=True)
        values = {name: _plain(getattr(obj, name)) for name in admin.edit_fields}
        record(obj, f"{_kind(obj)}.added", by=actor, organization_id=_organization(admin, obj), after=values)
        return
    organization_id, responsible_id = admin.owner_of(obj)
    if admin.edit_permission is None:
        raise PermissionRefused("edit")
    before = locked(admin, request, obj)
    require(actor, admin.edit_permission, organization_id, responsible_id=responsible_id)
    changed = [name for name in form.changed_data if name in admin.edit_fields]
    if not changed:
        return
    obj.save(update_fields=[*changed, *(["updated_at"] if hasattr(obj, "updated_at") else [])])
    record(
        obj,
        f"{_kind(obj)}.edited",
        by=actor,
        organization_id=_organization(admin, obj),
        before={name: _plain(getattr(before, name)) for name in changed},
        after={name: _plain(getattr(obj, name)) for name in changed},
    )


def _kind(obj: Model) -> str:
    return str(obj._meta.model_name)


def _organization(admin: Any, obj: Any) -> Any:
    return admin.owner_of(obj)[0]


def _plain(value: Any) -> Any:
    return value.pk if isinstance(value, Model) else value if isinstance(value, (str, int, bool, dict, list, type(None))) else str(value)
