"""Pausing, resuming and archiving a code. What people have reserved or used stays theirs."""

from uuid import UUID

from django.db import transaction

from audit.actor import Actor
from audit.recording import record
from core.errors import NotFound
from organizations.permissions import Permission, require
from promo_codes.models import PromoCode


def locked(promo_code_id: UUID, by: Actor) -> PromoCode:
    """The code with its row locked: whoever uses it meanwhile waits. Raises NotFound, PermissionRefused."""
    rows = PromoCode.objects.visible_to(by).select_for_update(of=["self"], no_key=True).select_related("organization")
    found = rows.filter(pk=promo_code_id).first()
    if found is None:
        raise NotFound("promo code")
    require(by, Permission.PROMO_CODE_MANAGE, found.organization_id, responsible_id=found.responsible_id)
    return found


@transaction.atomic
def pause(*, promo_code_id: UUID, by: Actor) -> PromoCode:
    """Nobody can use it until it is resumed. Raises NotFound, PermissionRefused, TransitionNotAllowed."""
    code = locked(promo_code_id, by)
    code.pause()
    return _moved(code, "promo_code.paused", by)


@transaction.atomic
def resume(*, promo_code_id: UUID, by: Actor) -> PromoCode:
    """It can be used again. Raises NotFound, PermissionRefused, TransitionNotAllowed."""
    code = locked(promo_code_id, by)
    code.resume()
    return _moved(code, "promo_code.resumed", by)


@transaction.atomic
def archive(*, promo_code_id: UUID, by: Actor) -> PromoCode:
    """Nobody can use it any more, for good. Raises NotFound, PermissionRefused, TransitionNotAllowed."""
    code = locked(promo_code_id, by)
    code.archive()
    return _moved(code, "promo_code.archived", by)


def _moved(code: PromoCode, action: str, by: Actor) -> PromoCode:
    code.save(update_fields=["state", "updated_at"])
    record(code, action, by=by, after={"state": code.state, "uses": code.uses})
    return code
