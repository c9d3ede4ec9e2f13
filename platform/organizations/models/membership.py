"""Memberships say who may act for an organization, and as what."""

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import Q

from core.models import BaseModel
from organizations.models.organization import Organization
from organizations.querysets import MembershipQuerySet

_ADMIN_REMAINS = """
    IF OLD.role = 'admin' AND OLD.ended_at IS NULL THEN
        -- two admins who remove each other queue here: each looks again after the other has committed
        PERFORM 1 FROM organizations_organization WHERE id = OLD.organization_id AND is_active FOR NO KEY UPDATE;
        IF FOUND AND NOT EXISTS (
            SELECT 1 FROM organizations_membership JOIN accounts_user ON accounts_user.id = user_id
            WHERE organization_id = OLD.organization_id AND role = 'admin' AND ended_at IS NULL AND accounts_user.is_active
        ) THEN
            RAISE EXCEPTION 'organization % would have no admin', OLD.organization_id
                USING ERRCODE = 'check_violation', CONSTRAINT = 'membership_admin_remains', TABLE = TG_TABLE_NAME;
        END IF;
    END IF;
    RETURN NULL;
"""


class Role(models.TextChoices):
    """What a member may do in one organization; "staff" is always the platform's."""

    ADMIN = "admin"
    ORGANIZER = "organizer"
    COURSE_MANAGER = "course_manager"
    INSTRUCTOR = "instructor"


class Membership(BaseModel):
    """A person in an organization; ended_at set means it gives nothing any more. An active organization never loses its last admin
    whose account works: the database looks at the end of every transaction."""

    public_prefix = "mem"

    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="memberships")
    role = models.CharField(max_length=20, choices=Role.choices)
    ended_at = models.DateTimeField(null=True, blank=True)

    objects = MembershipQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organization", "user"], condition=Q(ended_at=None), name="membership_active_once"),
            models.CheckConstraint(
                condition=Q(role__in=["admin", "organizer", "course_manager", "instructor"]), name="membership_role_known"
            ),
        ]
        indexes = [models.Index(fields=["user", "organization"], condition=Q(ended_at=None), name="membership_of_user")]
        triggers = [
            pgtrigger.Trigger(
                name="admin_remains",
                level=pgtrigger.Row,
                when=pgtrigger.After,
                timing=pgtrigger.Deferred,
                operation=pgtrigger.Update | pgtrigger.Delete,
                func=_ADMIN_REMAINS,
            )
        ]

    def __str__(self) -> str:
        return f"{self.user} · {self.get_role_display()}"

    @property
    def is_active(self) -> bool:
        return self.ended_at is None
