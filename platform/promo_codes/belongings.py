"""What an organization's codes mean for its members and for closing it: the answer to organizations.belongings."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from audit.actor import Actor
from audit.recording import record
from core.public_ids import encode
from organizations.belongings import Blocker, Held, Table
from promo_codes import lifecycle
from promo_codes.models import PromoCode, Redemption

_CODE = ("id", "code", "state", "kind", "basis_points", "amount", "cap_amount", "minimum_amount", "currency", "starts_at", "ends_at")
_LIMITS = ("max_uses", "max_uses_per_person", "first_time_only", "uses", "description")
_USE = ("id", "code_id", "subject", "group", "email", "state", "price", "amount", "currency", "created_at")
_AT_ONCE = 2_000


class PromoCodeBelongings:
    def held(self, *, organization_id: UUID, user_id: UUID) -> list[Held]:
        """Nothing that needs a successor: admins look after every code."""
        return []

    def hand_over(self, *, organization_id: UUID, from_user_id: UUID, to_user_id: UUID, by: Actor) -> None:
        """With the events that most of them are for."""
        made = PromoCode.objects.filter(organization_id=organization_id, responsible_id=from_user_id).order_by("pk")
        for code in made.select_for_update(of=["self"], no_key=True):
            code.responsible_id = to_user_id
            code.save(update_fields=["responsible", "updated_at"])
            record(code, "promo_code.handed_over", by=by, before={"responsible_id": from_user_id}, after={"responsible_id": to_user_id})

    def blockers(self, *, organization_id: UUID, at: datetime) -> list[Blocker]:
        return []

    def archive(self, *, organization_id: UUID, at: datetime, by: Actor) -> None:
        usable = PromoCode.objects.filter(organization_id=organization_id).exclude(state=PromoCode.State.ARCHIVED).order_by("pk")
        for promo_code_id in usable.values_list("pk", flat=True):
            lifecycle.archive(promo_code_id=promo_code_id, by=by)

    def export(self, *, organization_id: UUID) -> list[Table]:
        return [
            Table("promo_codes", (*_CODE, *_LIMITS), _codes(organization_id)),
            Table("promo_code_redemptions", _USE, _uses(organization_id)),
        ]


def _codes(organization_id: UUID) -> Iterator[Sequence[Any]]:
    rows = PromoCode.objects.filter(organization_id=organization_id).order_by("pk").values_list(*_CODE, *_LIMITS)
    for key, *rest in rows.iterator(chunk_size=_AT_ONCE):
        yield [encode(PromoCode.public_prefix, key), *rest]


def _uses(organization_id: UUID) -> Iterator[Sequence[Any]]:
    rows = Redemption.objects.filter(code__organization_id=organization_id).order_by("pk").values_list(*_USE)
    for key, code_id, *rest in rows.iterator(chunk_size=_AT_ONCE):
        yield [encode(Redemption.public_prefix, key), encode(PromoCode.public_prefix, code_id), *rest]
