"""Operations behind forms: what shows the object, what is needed, and the call."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from events import authoring
from promo_codes import authoring as promo_codes
from tests.organizations.matrix import World


def _create(world: World, by: Any) -> Any:
    starts = timezone.now() + timedelta(days=9)
    ends = starts + timedelta(hours=1)
    return authoring.create(
        organization_id=world.north.pk, by=by, title="New", starts_at=starts, ends_at=ends, capacity=9, host_id=world.host.pk
    )


def _edit(world: World, by: Any) -> Any:
    return authoring.edit(event_id=world.rows["events.event"].pk, by=by, title="Renamed")


def _create_code(world: World, by: Any) -> Any:
    events = [world.rows["events.event"].public_id]  # type: ignore[attr-defined]
    return promo_codes.create(organization_id=world.north.pk, by=by, code="AUTUMN", kind="percent", basis_points=500, subjects=events)


def _edit_code(world: World, by: Any) -> Any:
    return promo_codes.edit(promo_code_id=world.rows["promo_codes.promocode"].pk, by=by, description="Renamed")


OPERATIONS = {
    "events.authoring.create": ("organization.view", "event.manage", _create),
    "events.authoring.edit": ("event.view", "event.manage", _edit),
    "promo_codes.authoring.create": ("organization.view", "promo_code.manage", _create_code),
    "promo_codes.authoring.edit": ("promo_code.view", "promo_code.manage", _edit_code),
}
