from datetime import datetime
from typing import TYPE_CHECKING, Self
from uuid import UUID

from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower

from audit.actor import Actor
from organizations.permissions import Permission
from organizations.scoping import scoped

if TYPE_CHECKING:
    from promo_codes.models import PromoCode, PromoCodeLine, Redemption


class PromoCodeQuerySet(models.QuerySet["PromoCode"]):
    def visible_to(self, by: Actor) -> Self:
        """An organization's codes to its people; buyers find one by typing it only (promo_codes.redeeming.find)."""
        return scoped(self, by, Permission.PROMO_CODE_VIEW, responsible="responsible_id")


class RedemptionQuerySet(models.QuerySet["Redemption"]):
    def visible_to(self, by: Actor) -> Self:
        return scoped(self, by, Permission.PROMO_CODE_VIEW, organization="code__organization_id", responsible="code__responsible_id")

    def counting(self) -> Self:
        return self.exclude(state="released")

    def of_person(self, email: str, user_id: UUID | None) -> Self:
        """Under this address in any spelling, or by this account."""
        wanted = Q(address=email.lower())
        return self.alias(address=Lower("email")).filter(wanted | Q(user_id=user_id) if user_id else wanted)


class PromoCodeLineQuerySet(models.QuerySet["PromoCodeLine"]):
    def visible_to(self, by: Actor) -> Self:
        return scoped(self, by, Permission.PROMO_CODE_MANAGE, responsible="added_by_id")

    def older_than(self, moment: datetime) -> Self:
        return self.filter(created_at__lt=moment)
