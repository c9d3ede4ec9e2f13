"""Many members at once: another role, or the end. Each row is the same operation as its button."""

from typing import Any
from uuid import UUID

from django import forms
from django.db.models import QuerySet
from unfold.widgets import UnfoldAdminEmailInputWidget, UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from admin_ext.console.bulk_kinds import BulkKind, Plan, register
from admin_ext.models import BulkItem
from audit.actor import Actor
from organizations import belongings, members
from organizations.models import Membership, Role
from organizations.permissions import Permission


class RolesTogether(forms.Form):
    role = forms.ChoiceField(label="New role of each", choices=Role.choices, initial=Role.ORGANIZER, widget=UnfoldAdminSelectWidget)


class RemoveTogether(forms.Form):
    """successor: looked up in each member's organization."""

    successor = forms.EmailField(
        label="Who takes over",
        required=False,
        max_length=254,
        widget=UnfoldAdminEmailInputWidget,
        help_text="Email of an admin or organizer, for what the people host. Whoever hosts nothing needs none.",
    )
    reason = forms.CharField(label="Reason", required=False, max_length=2000, widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}))


def _with_people(rows: QuerySet[Any], by: Actor) -> QuerySet[Any]:
    return rows.select_related("user", "organization")


def _an_admin_remains(membership: Membership, values: dict[str, Any], planned: QuerySet[BulkItem]) -> None:
    """Each admin alone could go; all of them together could not."""
    members.require_another_admin(membership, gone=Membership.objects.filter(pk__in=planned.values("object_id")))


def _plan_role(membership: Membership, values: dict[str, Any], by: Actor) -> Plan:
    members.require_changeable(membership, values["role"], by=by)
    return Plan(f"From {membership.get_role_display()} to {Role(values['role']).label}")


def _change_role(item: BulkItem, values: dict[str, Any], by: Actor) -> str:
    changed = members.change_role(membership_id=item.object_id, role=values["role"], by=by)
    return f"{changed.get_role_display()} now"


def _plan_removal(membership: Membership, values: dict[str, Any], by: Actor) -> Plan:
    members.require_removable(membership, successor_id=_successor(membership, values), by=by)
    held = belongings.held(organization_id=membership.organization_id, user_id=membership.user_id)
    goes = f"; {', '.join(map(str, held))} to {values['successor']}" if held else ""
    return Plan(f"Remove {membership.user.email}{goes}")


def _remove(item: BulkItem, values: dict[str, Any], by: Actor) -> str:
    membership = Membership.objects.visible_to(by).select_related("organization").filter(pk=item.object_id).first()
    successor = _successor(membership, values) if membership else None
    members.remove(membership_id=item.object_id, successor_id=successor, reason=values.get("reason", ""), by=by)
    return "Removed"


def _successor(membership: Membership, values: dict[str, Any]) -> UUID | None:
    """None where nobody is named; a key that nobody has where nobody of that address can take over, which the operation refuses."""
    email = values.get("successor")
    if not email:
        return None
    found: UUID | None = members.successors(membership).filter(user__email__iexact=email).values_list("user_id", flat=True).first()
    return found or membership.pk


CHANGE_ROLES = register(
    BulkKind(
        name="membership.change_role",
        label="Change role…",
        model=Membership,
        permission=Permission.MEMBER_MANAGE,
        plan=_plan_role,
        apply=_change_role,
        undo="To take it back, select the same people and give them their former role.",
        rows=_with_people,
        form_class=RolesTogether,
        beside=_an_admin_remains,
    )
)
REMOVE = register(
    BulkKind(
        name="membership.remove",
        label="Remove…",
        model=Membership,
        permission=Permission.MEMBER_MANAGE,
        plan=_plan_removal,
        apply=_remove,
        undo="There is no undo: the people can be invited anew, what they hosted stays with who took over.",
        rows=_with_people,
        form_class=RemoveTogether,
        beside=_an_admin_remains,
    )
)
