"""Who may do what: one table of permissions × organization roles and staff groups.

Source: domain rules for roles. `require` is an operation's first check after its lock; `allows` hides buttons. Both read the membership
fresh, so one that has ended gives nothing at once. Which rows are visible is organizations.scoping's matter.
"""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from audit.actor import Actor, StaffGroup
from core.errors import PermissionRefused, StepUpRequired
from organizations.models import ActingGrant, Membership, Role

_ADMIN = frozenset({Role.ADMIN})
_ORGANIZERS = frozenset({Role.ADMIN, Role.ORGANIZER})
_INVITERS = frozenset({Role.ADMIN, Role.COURSE_MANAGER})
_MAKERS = frozenset({Role.ADMIN, Role.ORGANIZER, Role.COURSE_MANAGER})
_EVERYONE = frozenset(Role)
_NOBODY: frozenset[Role] = frozenset()
_NO_STAFF: frozenset[StaffGroup] = frozenset()
_SUPPORT = frozenset({StaffGroup.SUPPORT})
_FINANCE = frozenset({StaffGroup.FINANCE})
_HELPERS = _SUPPORT | _FINANCE
_READERS = frozenset({StaffGroup.SUPPORT, StaffGroup.FINANCE, StaffGroup.AUDITOR})


class Permission(StrEnum):
    ORGANIZATION_VIEW = "organization.view"
    ORGANIZATION_EDIT = "organization.edit"
    MEMBER_VIEW = "member.view"
    MEMBER_MANAGE = "member.manage"
    INSTRUCTOR_MANAGE = "instructor.manage"
    INVITATION_VIEW = "invitation.view"
    ADMIN_OFFER = "admin.offer"
    ADMIN_GRANT = "admin.grant"
    ORGANIZATION_ACT = "organization.act"
    ADMIN_VIEW = "admin.view"
    ORGANIZATION_CLOSE = "organization.close"
    EVENT_VIEW = "event.view"
    EVENT_MANAGE = "event.manage"
    PROMO_CODE_VIEW = "promo_code.view"
    PROMO_CODE_MANAGE = "promo_code.manage"
    PROMO_CODE_IMPORT = "promo_code.import"
    REGISTRATION_VIEW = "registration.view"
    REGISTRATION_MANAGE = "registration.manage"
    PAYMENT_VIEW = "payment.view"
    PAYMENT_REFUND = "payment.refund"
    PAYMENT_RETRY = "payment.retry"
    REFUND_APPROVE = "refund.approve"
    REFUND_RETRY = "refund.retry"
    DISPUTE_ANSWER = "dispute.answer"
    CONNECT_VIEW = "connect.view"
    CONNECT_MANAGE = "connect.manage"
    PAYOUT_VIEW = "payout.view"
    PAYOUT_REQUEST = "payout.request"
    PAYOUT_APPROVE = "payout.approve"
    LEDGER_VIEW = "ledger.view"
    RECONCILIATION_RUN = "reconciliation.run"
    DISCREPANCY_FIX = "discrepancy.fix"
    PERIOD_CLOSE = "period.close"
    INBOX_VIEW = "inbound_event.view"
    INBOX_REPLAY = "inbound_event.replay"
    JOB_VIEW = "job.view"
    JOB_RETRY = "job.retry"
    MESSAGE_VIEW = "message.view"
    AUDIT_VIEW = "audit.view"
    USER_VIEW = "user.view"
    USER_UNLOCK = "user.unlock"
    FEE_EDIT = "fee.edit"
    PLAN_VIEW = "plan.view"
    PLAN_EDIT = "plan.edit"
    SUBSCRIPTION_VIEW = "subscription.view"
    SUBSCRIPTION_MANAGE = "subscription.manage"
    TRIAL_EXTEND = "trial.extend"
    USAGE_VIEW = "usage.view"
    QUOTA_OVERRIDE = "quota.override"
    LIST_EXPORT = "list.export"


@dataclass(frozen=True, slots=True)
class Rule:
    """own_only: an organizer may touch only their own where the organization says so. step_up: needs a fresh factor."""

    roles: frozenset[Role]
    staff: frozenset[StaffGroup]
    own_only: bool = False
    step_up: bool = False


RULES: dict[Permission, Rule] = {
    Permission.ORGANIZATION_VIEW: Rule(_EVERYONE, _READERS),
    Permission.ORGANIZATION_EDIT: Rule(_ADMIN, _SUPPORT),
    Permission.MEMBER_VIEW: Rule(_EVERYONE, _READERS),
    Permission.MEMBER_MANAGE: Rule(_ADMIN, _SUPPORT, step_up=True),
    Permission.INSTRUCTOR_MANAGE: Rule(_INVITERS, _SUPPORT, step_up=True),
    Permission.INVITATION_VIEW: Rule(_INVITERS, _READERS),
    Permission.ADMIN_OFFER: Rule(_ADMIN, _NO_STAFF, step_up=True),
    Permission.ADMIN_GRANT: Rule(_NOBODY, _SUPPORT, step_up=True),
    Permission.ORGANIZATION_ACT: Rule(_NOBODY, _SUPPORT, step_up=True),
    Permission.ADMIN_VIEW: Rule(_ADMIN, _READERS),
    Permission.ORGANIZATION_CLOSE: Rule(_ADMIN, _SUPPORT, step_up=True),
    Permission.EVENT_VIEW: Rule(_ORGANIZERS, _READERS, own_only=True),
    Permission.EVENT_MANAGE: Rule(_ORGANIZERS, _SUPPORT, own_only=True),
    Permission.PROMO_CODE_VIEW: Rule(_ORGANIZERS, _READERS, own_only=True),
    Permission.PROMO_CODE_MANAGE: Rule(_ORGANIZERS, _SUPPORT, own_only=True),
    Permission.PROMO_CODE_IMPORT: Rule(_ORGANIZERS, _SUPPORT),
    Permission.REGISTRATION_VIEW: Rule(_ORGANIZERS, _READERS, own_only=True),
    Permission.REGISTRATION_MANAGE: Rule(_ORGANIZERS, _SUPPORT, own_only=True),
    Permission.PAYMENT_VIEW: Rule(_ORGANIZERS, _READERS, own_only=True),
    Permission.PAYMENT_REFUND: Rule(_ORGANIZERS, _FINANCE, own_only=True, step_up=True),
    Permission.PAYMENT_RETRY: Rule(_ORGANIZERS, _HELPERS, own_only=True),
    Permission.REFUND_APPROVE: Rule(_NOBODY, _FINANCE, step_up=True),
    Permission.REFUND_RETRY: Rule(_NOBODY, _FINANCE, step_up=True),
    Permission.DISPUTE_ANSWER: Rule(_ORGANIZERS, _FINANCE, own_only=True, step_up=True),
    Permission.CONNECT_VIEW: Rule(_ADMIN, _READERS),
    Permission.CONNECT_MANAGE: Rule(_ADMIN, _SUPPORT),
    Permission.PAYOUT_VIEW: Rule(_ADMIN, _FINANCE | {StaffGroup.AUDITOR}),
    Permission.PAYOUT_REQUEST: Rule(_ADMIN, _FINANCE, step_up=True),
    Permission.PAYOUT_APPROVE: Rule(_NOBODY, _FINANCE, step_up=True),
    Permission.LEDGER_VIEW: Rule(_NOBODY, _READERS),
    Permission.RECONCILIATION_RUN: Rule(_NOBODY, _FINANCE),
    Permission.DISCREPANCY_FIX: Rule(_NOBODY, _FINANCE, step_up=True),
    Permission.PERIOD_CLOSE: Rule(_NOBODY, _FINANCE, step_up=True),
    Permission.INBOX_VIEW: Rule(_NOBODY, _READERS),
    Permission.INBOX_REPLAY: Rule(_NOBODY, _HELPERS),
    Permission.JOB_VIEW: Rule(_NOBODY, _READERS),
    Permission.JOB_RETRY: Rule(_NOBODY, _HELPERS),
    Permission.MESSAGE_VIEW: Rule(_NOBODY, _READERS),
    Permission.AUDIT_VIEW: Rule(_ADMIN, _READERS),
    Permission.USER_VIEW: Rule(_NOBODY, _READERS),
    Permission.USER_UNLOCK: Rule(_NOBODY, _SUPPORT, step_up=True),
    Permission.FEE_EDIT: Rule(_NOBODY, _FINANCE, step_up=True),
    Permission.PLAN_VIEW: Rule(_NOBODY, _READERS),
    Permission.PLAN_EDIT: Rule(_NOBODY, _FINANCE, step_up=True),
    Permission.SUBSCRIPTION_VIEW: Rule(_ADMIN, _READERS),
    Permission.SUBSCRIPTION_MANAGE: Rule(_ADMIN, _HELPERS),
    Permission.TRIAL_EXTEND: Rule(_NOBODY, _HELPERS, step_up=True),
    Permission.USAGE_VIEW: Rule(_MAKERS, _READERS),
    Permission.QUOTA_OVERRIDE: Rule(_NOBODY, _HELPERS, step_up=True),
    Permission.LIST_EXPORT: Rule(_ORGANIZERS, _READERS, step_up=True),
}


def for_members_in(role: str) -> Permission:
    """What inviting, changing or removing somebody in this role needs: instructors are a course manager's matter too."""
    return Permission.INSTRUCTOR_MANAGE if role == Role.INSTRUCTOR else Permission.MEMBER_MANAGE


def _staff_allows(by: Actor, rule: Rule) -> bool:
    return bool(by.staff_groups & (rule.staff | {StaffGroup.SUPERUSER}))


def allows(by: Actor, permission: Permission, organization_id: UUID | None = None, *, responsible_id: UUID | None = None) -> bool:
    """Whether the actor may, in this organization (None: a matter of the platform, or of any organization one works for).

    responsible_id: the member whom the object belongs to, for organizers who may only touch their own.
    """
    rule = RULES[permission]
    if by.is_system or _staff_allows(by, rule):
        return True
    if by.user_id is None or not rule.roles:
        return False
    if by.acting_for is not None:
        return _acting_allows(by, rule, permission, organization_id)
    memberships = Membership.objects.active().filter(user_id=by.user_id, role__in=rule.roles)
    if by.organization_id is not None:
        memberships = memberships.filter(organization_id=by.organization_id)
    if organization_id is None:
        return memberships.exists()
    membership = memberships.filter(organization_id=organization_id).select_related("organization").first()
    if membership is None:
        return False
    narrowed = rule.own_only and membership.role == Role.ORGANIZER
    if narrowed and membership.organization.organizer_scope == membership.organization.OrganizerScope.OWN:
        return responsible_id is None or responsible_id == by.user_id
    return True


# Where money goes, and what the organization pays, is never decided in its place; nor what asks for a second factor: money, roles,
# exports, the end.
_NEVER_IN_ANOTHERS_PLACE = frozenset({Permission.CONNECT_MANAGE, Permission.SUBSCRIPTION_MANAGE})


def _acting_allows(by: Actor, rule: Rule, permission: Permission, organization_id: UUID | None) -> bool:
    """Staff in an organization's place: what its admins may, in that organization, while the grant lasts."""
    if Role.ADMIN not in rule.roles or rule.step_up or permission in _NEVER_IN_ANOTHERS_PLACE:
        return False
    if organization_id not in (None, by.acting_for):
        return False
    grants = ActingGrant.objects.of(by).open(at=timezone.now()).filter(organization=by.acting_for)
    grant = grants.select_related("user").first()
    return grant is not None and bool(grant.user.groups_of_staff & (_SUPPORT | {StaffGroup.SUPERUSER}))


def require(by: Actor, permission: Permission, organization_id: UUID | None = None, *, responsible_id: UUID | None = None) -> None:
    """Raise PermissionRefused unless `allows`, StepUpRequired where the second factor was used too long ago."""
    if not allows(by, permission, organization_id, responsible_id=responsible_id):
        raise PermissionRefused(permission)
    if RULES[permission].step_up:
        require_step_up(by)


def require_step_up(by: Actor) -> None:
    """Raise StepUpRequired unless a person used a second factor within the window; systems have none, the demo asks for none."""
    if by.is_system or not settings.SECOND_FACTOR_REQUIRED:
        return
    if by.second_factor_at is None or timezone.now() - by.second_factor_at > settings.STEP_UP_WINDOW:
        raise StepUpRequired
