"""Writing the audit log, from inside the operation's transaction."""

from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from django.db import models

from audit.actor import Actor
from audit.models import AuditEntry


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, (UUID, datetime, date, Decimal)):
        return str(value)
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(item) for item in value]
    return value


def record(
    obj: models.Model,
    action: str,
    *,
    by: Actor,
    organization_id: UUID | None = None,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
    reason: str = "",
) -> AuditEntry:
    """Write one entry about `obj`; it commits or vanishes with the operation. action: "<object>.<past participle>"."""
    owner = organization_id or getattr(obj, "organization_id", None)
    return AuditEntry.objects.create(
        action=action,
        object_type=obj._meta.label_lower,
        object_id=obj.pk,
        organization_id=owner,
        actor=by.label,
        user_id=by.user_id,
        acting_for=by.acting_for,
        token_id=by.token_id,
        before=_plain(before or {}),
        after=_plain(after or {}),
        reason=reason,
        request_id=by.request_id,
        ip=by.ip,
    )
